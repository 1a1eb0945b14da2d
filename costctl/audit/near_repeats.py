"""Near repeats in the anatomy of the bill: what a semantic cache would have answered, and how much of it wrongly.

Asked for, since the log is read again for it: the workspace keeps no text. A request belongs to the class
if it stands alone and a semantic cache of one day over all such requests of its application, model and
instructions would have served it with the answer to another prompt of equal guard.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from costctl.audit import pages
from costctl.audit.totals import NO_TIMES
from costctl.errors import CostctlError
from costctl.formats.sources import Reader
from costctl.report import counted
from costctl.reuse.embed import GIVEN
from costctl.reuse.false_hits import by_answers, false_hits
from costctl.reuse.intervals import Share
from costctl.reuse.near_said import near_warnings
from costctl.reuse.near_texts import NOTHING, NearTexts, near_texts
from costctl.reuse.neighbours import Visits, neighbours
from costctl.reuse.semantic_cache import Requests, SemanticPolicy, nodes_of, replay
from costctl.reuse.vectors import Int
from costctl.store import Store
from costctl.tiers.fields import unpacked_sql

SERVE_MIN_PPB = 900_000_000
ALIKE = f"similarity from {SERVE_MIN_PPB / 10**9:.2f} on, with equal numbers, times and names,"
TTL_US = 24 * 3600 * 1_000_000


class NearRepeats(NamedTuple):
    """Whether the class was computed, the share of wrong answers in it, and how it is to be read."""

    is_computed: bool
    note: str
    wrong: Share | None = None


def near_repeats(store: Store, reader: Reader | None, is_failed_or_repeated: str) -> NearRepeats:
    """Make the table `near_hit` of the requests of the class; it is empty where they were not asked for."""
    store.execute("CREATE OR REPLACE TEMP TABLE near_hit (file_id INTEGER, source_line BIGINT)")
    store.execute("CREATE OR REPLACE TEMP TABLE near_said (code VARCHAR, message VARCHAR, hint VARCHAR)")
    if reader is None:
        return NearRepeats(False, "not computed: costctl audit LOG --near-repeats (reads the texts)")
    try:
        texts = near_texts(store, reader, reader.kept)
    except CostctlError as error:
        return NearRepeats(False, f"not identifiable: {error.message}")
    name = str(texts.name)
    said = near_warnings(
        name, int(texts.differing_count), is_given=name.startswith(GIVEN), what=f"near repeats: {ALIKE}"
    )
    store.insert("near_said", ["code", "message", "hint"], [(one.code, one.message, one.hint) for one in said])
    personal = f"({unpacked_sql('contains_personal_data')} = 1)"
    store.execute(pages.page("near_candidates.sql", is_failed_or_repeated=is_failed_or_repeated, personal=personal))
    store.append(
        "near_row",
        {"file_id": texts.file_id, "source_line": texts.source_line, "prompt": texts.prompt, "answer": texts.answer},
        new="TEMP TABLE",
    )
    columns = store.numpy(
        "SELECT c.file_id, c.source_line, c.time_us, c.scope, c.may_hit, n.prompt, n.answer FROM near_candidate c "
        "JOIN near_row n USING (file_id, source_line) WHERE n.prompt >= 0 ORDER BY c.rowid"
    )
    asked: dict[str, Int] = {name: np.asarray(values) for name, values in columns.items()}
    undated = int(
        store.scalar(
            "SELECT count(*) FROM request JOIN near_row n USING (file_id, source_line) "
            "WHERE started_at IS NULL AND replay_offset_ms IS NULL AND n.prompt >= 0"
        )
    )
    if undated and not len(asked["prompt"]):
        return NearRepeats(False, NO_TIMES)
    if not len(asked["prompt"]):
        return NearRepeats(True, "no request stands alone")
    found = _compared(store, texts, asked)
    if not undated:
        return found
    return found._replace(note=f"{found.note}; {counted(undated, 'request')} without a time not compared")


def _compared(store: Store, texts: NearTexts, asked: dict[str, Int]) -> NearRepeats:
    name = str(texts.name)
    scopes = np.unique(asked["scope"], return_inverse=True)[1].astype(np.int64)
    node, text, scope = nodes_of(asked["prompt"].astype(np.int64), scopes)
    visits = Visits(node, asked["time_us"].astype(np.int64))
    graph = neighbours(texts.vectors, SERVE_MIN_PPB, text=text, scope=scope, visits=visits, ttl_us=TTL_US)
    requests = Requests(visits, np.ones(len(node), dtype=np.bool_), texts.guard[text])
    served = replay(graph, requests, SemanticPolicy(SERVE_MIN_PPB, ((None, TTL_US),)))
    at, answered_by = served.pairs(is_own_prompt=False)
    is_claimed = asked["may_hit"][at].astype(np.bool_)
    at, answered_by = at[is_claimed], answered_by[is_claimed]
    store.append("near_hit", {name: asked[name][at] for name in ("file_id", "source_line")})
    answer = asked["answer"].astype(np.int64)
    test = texts.test(answer, node, text, scope) if (answer != NOTHING).any() else None
    if not len(at):
        return NearRepeats(True, f"none of {ALIKE} by {name}")
    wrong = None
    if test is not None:
        verdicts = by_answers(texts.answer_vectors, answer, test, at, answered_by)
        wrong = false_hits(verdicts, answered_by, len(node), test).wrong_per_hit
    if test is not None and not test.has_power:
        return NearRepeats(True, f"at most: {test.why_no_power}; {ALIKE} by {name}")
    if wrong is None or wrong.estimate is None:
        how_many = "at most: how many of these answers would have been wrong, the log does not show"
        return NearRepeats(True, f"{how_many}; {ALIKE} by {name}")
    return NearRepeats(True, f"{ALIKE} by {name}", wrong)
