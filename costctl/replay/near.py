"""The semantic cache of a policy: the prompts of the log as nodes of a graph of near ones."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple
from weakref import WeakKeyDictionary, WeakSet

import numpy as np

from costctl.errors import CostctlError
from costctl.formats.profile import profile_of
from costctl.formats.sources import Reader
from costctl.policy.schema import Policy
from costctl.policy.stages import SemanticCache as SemanticCacheSpec
from costctl.replay.calls import Calls, Flag, Int, fetch, plain
from costctl.replay.conditions import COLUMN_OF, REUSABLE, Conditions
from costctl.replay.lanes import Lanes
from costctl.replay.plan import SemanticCache
from costctl.reuse.carried_texts import CarriedTexts, carried_texts
from costctl.reuse.near_texts import NOTHING, NearTexts, load, near_texts, save
from costctl.reuse.neighbours import Graph, Visits, neighbours
from costctl.reuse.semantic_cache import Ttls, nodes_of, ppb, ttl_of
from costctl.reuse.slots import SLOTS
from costctl.store import Store

# So many prompts are compared with all others once, for every policy to come; more only within the time to live.
WHOLE_NODES = 50_000
WHOLE_PPB = 800_000_000
THREADS = 2
ASKS_ONCE = "coalesce(turn_count = 1 AND NOT coalesce(has_image, false), false)"


class NearCalls(NamedTuple):
    """The texts of the log, by call: numbers of prompt and answer, -1 none."""

    texts: NearTexts
    prompt: Int
    answer: Int
    node: Int  # of calls that some policy's cache may look at, by prompt, application and instructions; -1 others
    node_text: Int  # by node
    node_scope: Int


_texts: WeakKeyDictionary[Store, tuple[NearTexts, Path]] = WeakKeyDictionary()
_blind: WeakSet[Store] = WeakSet()  # those whose log has no text of any prompt


def know_texts(store: Store, reader: Reader | None) -> None:
    """Read what the semantic cache needs of the log's texts, where that was not done before.

    Raises:
        CostctlError: E124, E419 as `near_texts`.
    """
    if reader is None and store in _texts:
        return
    told = profile_of(store)
    if told is not None and told.texts is not None:
        _texts[store] = carried_texts(store, told.texts), Path()
        return
    folder = None if reader is None else reader.kept
    found = near_texts(store, reader, folder)
    assert folder is not None
    _texts[store] = found, folder


def know_texts_if_any(store: Store, policy: Policy, reader: Reader | None) -> None:
    """The same for a policy with the stage; where the log has no texts, the stage is skipped (`lacks_texts`).

    Raises:
        CostctlError: E124 as `near_texts`.
    """
    _blind.discard(store)
    try:
        if policy.cache.semantic is not None:
            know_texts(store, reader)
    except CostctlError as error:
        if error.code != "E419":
            raise
        _blind.add(store)


def lacks_texts(store: Store) -> bool:
    """Whether `know_texts_if_any` found that a policy's semantic cache has nothing to compare."""
    return store in _blind


def near_calls(store: Store, count: int) -> NearCalls:
    """The texts of the calls, in the order of the replay."""
    texts, _ = _texts[store]
    store.append(
        "near_row",
        {
            "file_id": texts.file_id, "source_line": texts.source_line, "prompt": texts.prompt,
            "answer": texts.answer,
        },
        new="TEMP TABLE",
    )  # fmt: skip
    found = store.numpy(
        "SELECT p.position, n.prompt, n.answer FROM replay_place p JOIN near_row n USING (file_id, source_line)"
    )
    prompt, answer = np.full(count, NOTHING, dtype=np.int64), np.full(count, NOTHING, dtype=np.int64)
    place = plain(found["position"])
    prompt[place], answer[place] = plain(found["prompt"]), plain(found["answer"])
    return NearCalls(texts, prompt, answer, *base_nodes(store, prompt))


def base_nodes(store: Store, prompt: Int) -> tuple[Int, Int, Int]:
    """The node of each call whatever a policy keeps away or adds to the key, -1 none; text and scope of each node."""
    tests = " AND ".join((*REUSABLE.values(), ASKS_ONCE, "time_us IS NOT NULL"))
    may_hit = fetch(store, f"({tests}) AS may_hit")["may_hit"]
    scope = fetch(store, "CAST(hash(app, system_key) >> 1 AS BIGINT) AS scope")["scope"]
    scopes = np.unique(scope, return_inverse=True)[1].astype(np.int64)
    return nodes_of(np.where(plain(may_hit), prompt, NOTHING), scopes)


def semantic_cache(
    store: Store, policy: Policy, spec: SemanticCacheSpec, calls: Calls, lanes: Lanes, may_reuse: Flag
) -> SemanticCache:
    """The stage: `may_reuse` are the calls that no rule keeps away from caches."""
    near = near_calls(store, calls.count)
    conditions = Conditions()
    asks_once = fetch(store, f"{ASKS_ONCE} AS holds")["holds"]
    takes_part = may_reuse & plain(asks_once) & calls.is_dated & ~calls.is_unpriced & (near.prompt >= 0)
    node, text, scope = nodes_of(np.where(takes_part, near.prompt, NOTHING), _scopes(store, spec, near, conditions))
    lowest = max(1, ppb(spec.serve_min if spec.refresh_min is None else spec.refresh_min))
    ttls: Ttls = tuple((one.months, one.ttl_us) for one in spec.ttls)
    visits = Visits(node, calls.time_us)
    graph = _graph(store, near.texts, text, scope, visits, lowest, max(ttl_us for _, ttl_us in ttls))
    return SemanticCache(
        node.astype(np.int32), calls.is_ok & (node >= 0), ttls,
        ttl_of(np.where(calls.is_dated, calls.time_us, 0), ttls),
        near.texts.guard[text], graph, max(1, ppb(spec.serve_min)), lowest,
        0 if spec.refresh_tier is None else lanes.number(spec.refresh_tier),
    )  # fmt: skip


def _scopes(store: Store, spec: SemanticCacheSpec, near: NearCalls, conditions: Conditions) -> Int:
    """Prompts of two scopes never meet: application, instructions, and the key parts that the policy names."""
    columns = [COLUMN_OF.get(name, name) for name in spec.key if name not in SLOTS]
    copies = store.scalar("SELECT count(*) FROM duckdb_columns() WHERE table_name = 'replay_place' "
                          "AND column_name = 'copy_number'")  # fmt: skip
    named = ", ".join(("app", "system_key", *columns, *(["copy_number"] if copies else [])))
    said = fetch(store, f"CAST(hash({named}) >> 1 AS BIGINT) AS scope", conditions.params)["scope"]
    parts = [plain(said)]
    known = np.maximum(near.prompt, 0)
    for number, name in enumerate(SLOTS):
        if name in spec.key:
            parts.append(near.texts.slots[number][known])
    if len(parts) == 1:
        return np.unique(parts[0], return_inverse=True)[1].astype(np.int64)
    codes: Int = np.unique(np.stack(parts), axis=1, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return codes


def _graph(
    store: Store, texts: NearTexts, text: Int, scope: Int, visits: Visits, lowest_ppb: int, longest_us: int
) -> Graph:
    """The graph of these nodes, from the folder where an earlier policy left it, or from a profile."""
    if isinstance(texts, CarriedTexts):
        return texts.graph(text, scope)
    folder = _texts[store][1]
    is_whole = len(text) <= WHOLE_NODES
    reach = min(lowest_ppb, WHOLE_PPB) if is_whole else lowest_ppb
    said = hashlib.sha256(f"{texts.name} {reach} {0 if is_whole else longest_us}".encode())
    for column in (texts.vectors, text, scope, *(() if is_whole else visits)):
        said.update(np.ascontiguousarray(column).tobytes())
    target = folder / f"graph-{said.hexdigest()[:24]}.npz"
    known = load(target)
    if known is not None:
        return Graph(**known)
    if not len(text):
        return Graph(np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int32))
    found = neighbours(
        texts.vectors, reach, text=text, scope=scope, visits=None if is_whole else visits,
        ttl_us=None if is_whole else longest_us, threads=THREADS,
    )  # fmt: skip
    save(target, found._asdict())
    return found
