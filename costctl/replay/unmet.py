"""Names of a policy that nothing in the log answers to: most likely they are misspelt.

Those that the prices do not know are refused when the policy is read (`policy/check_prices`).
Each place of the policy that names something of the log is one line of `_names`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from costctl.policy.schema import Floor, Policy, Raise, Routing, Rule
from costctl.policy.tell import condition
from costctl.policy.when import All, Any_, Compare, Is, Not, OneOf, When
from costctl.replay.calls import fetch
from costctl.replay.conditions import COLUMN_OF, Conditions
from costctl.replay.notes import Replay
from costctl.replay.outputs import ASKED_SQL, asking
from costctl.replay.sent_told import sent_totals
from costctl.report import Warning, counted
from costctl.store import Store

# What caps and exclusions call a column of the log by.
NAMED = {**COLUMN_OF, "user": "user_id"}
OF_INTENTS = "intents are worked out from the text of the prompts by the tier rules, a log's own are not read"
# What happens to calls on tiers and specialists alone.
ON_TIERS = ("context", "compression", "batch", "retries", "limits", "kill_switch", "post_process")


def unmet(store: Store, policy: Policy, done: Replay) -> list[Warning]:
    """A warning for each name of a value of the log or of a provider that nothing there is called."""
    values, said = _Values(store), []
    for names, effect in (
        (_names(values, policy, done), "so that entry has no effect"),
        (_excluded(values, policy), "so that excludes no call"),
    ):
        for key, name, known in dict.fromkeys((key, name, tuple(known)) for key, name, known in names):
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else OF_INTENTS if key.endswith(("matrix", " intent")) else ""
            said.append(Warning("W237", f"{key}: nothing is called {name}, {effect}", hint))
    return said


def _names(values: _Values, policy: Policy, done: Replay) -> Iterator[tuple[str, str, list[str]]]:
    yield from values.missing("routing.matrix", "intent", policy.routing.matrix)
    for key in ("usd_per_day", "tokens_per_day"):
        for cap in getattr(policy.budgets, key):
            if cap.name is not None and cap.scope != "tier":
                yield from values.missing(f"budgets.{key}", cap.scope, [cap.name])
    for field, _, name in (text.partition(":") for text in policy.cache.exclude):
        if name:
            yield from values.missing("cache.exclude", field, [name])
    if policy.batch is not None:
        yield from values.missing("batch.endpoints", "endpoint", policy.batch.endpoints)
    at_work = sorted({name.split("/", maxsplit=1)[0] for name in done.lanes.models})
    yield from _missing("limits", policy.limits, at_work)
    if policy.scenarios is not None and policy.scenarios.outage is not None:
        engines = {one.name for one in policy.self_hosted}  # these always answer
        sold = sorted({name.split("/", maxsplit=1)[0] for name in done.lanes.models if name not in engines})
        yield from _missing("scenarios.outage", [policy.scenarios.outage.provider], sold)


def _excluded(values: _Values, policy: Policy) -> Iterator[tuple[str, str, list[str]]]:
    """What must not be: a misspelt name there holds of every call. `idle` tells the rest of these conditions."""
    for key, when in (*_worked_on(policy), *_ruled(policy.routing)):
        for atom in _denied(when):
            if isinstance(atom, OneOf):
                yield from values.missing(f"{key}, not {atom.field}", atom.field, atom.values)


def _worked_on(policy: Policy) -> Iterator[tuple[str, When]]:
    for key in ("reformat", "translate"):
        work = None if policy.post_process is None else getattr(policy.post_process, key)
        if work is not None:
            yield f"post_process.{key}.when", work.when


def _ruled(routing: Routing) -> Iterator[tuple[str, When]]:
    for key, items in (("rules", routing.rules), ("raise", routing.raises), ("floors", routing.floors)):
        yield from ((f"routing.{key}: {item.name}: when", item.when) for item in items)


class _Values:
    """The texts that calls have in a column, asked for once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, list[str]] = {}

    def missing(self, key: str, field: str, names: Iterable[str]) -> Iterator[tuple[str, str, list[str]]]:
        """The names that no call has there; one that ends in `*` is the beginning of some."""
        yield from _missing(key, names, self._of(field))

    def _of(self, field: str) -> list[str]:
        if field not in self._known:
            column = {**NAMED, **ASKED_SQL}.get(field, f'"{field}"')
            sql = f"SELECT DISTINCT {column} AS value FROM replay_call WHERE value IS NOT NULL ORDER BY 1"
            self._known[field] = [str(text) for (text,) in self._store.query(sql)]
        return self._known[field]


def _missing(key: str, names: Iterable[str], known: Iterable[str]) -> Iterator[tuple[str, str, list[str]]]:
    there = list(known)
    for name in names:
        is_there = any(one.startswith(name[:-1]) for one in there) if name.endswith("*") else name in there
        if not is_there:
            yield key, name, there


def idle(store: Store, policy: Policy, done: Replay) -> list[Warning]:
    """A warning for each part of the policy whose condition no call meets, with what of it never holds."""
    routing, routed = policy.routing, done.routed
    said = []
    named: list[tuple[str, tuple[Rule | Raise | Floor, ...], NDArray[np.int16]]] = [
        ("rules", routing.rules, routed.reason), ("raise", routing.raises, routed.raised_by),
        ("floors", routing.floors, routed.floored_by),
    ]  # fmt: skip
    for key, items, decided in named:
        for number, item in enumerate(items):
            if (decided == number).any():
                continue
            meets = _meets(store, item.when)
            if not meets.any():
                said.append(f"routing.{key}: {item.name} meets no call; {_never(store, item.when)}")
            elif why := _in_vain(key, done, meets, has_instruction=bool(getattr(item, "add_instruction", None))):
                said.append(f"routing.{key}: {item.name} changes nothing; {why}")
    for key, when in _worked_on(policy):
        if not asking(store, when).any():
            said.append(f"{key.removesuffix('.when')} meets no call; {_never(store, when)}")
    return [
        Warning("W276", text)
        for text in (
            *said,
            *_unasked(done),
            *_unchanged(policy, done),
            *_unsaved(policy, done),
            *_unreached(policy, done),
        )
    ]


def _in_vain(key: str, done: Replay, meets: NDArray[np.bool_], *, has_instruction: bool) -> str:
    """Why what calls do meet has no effect on any; empty where they are as high already, which is no mistake.

    An instruction is added to calls that a raise lifts, so one that lifts none adds none.
    """
    calls = counted(int(np.count_nonzero(meets)), "call", "calls")
    if key == "rules":
        return f"rules before it take what meets it ({calls}), or that is not to be moved"
    is_off = meets & (done.routed.lane >= done.lanes.tier_count)
    if not is_off.any():
        high = f"the {calls} that meet it stay as high as they are, so its instruction is added to none"
        return high if has_instruction else ""
    if (meets & ~is_off).any():
        off = f"{int(np.count_nonzero(is_off)):,} of the {calls}"
        return f"{off} that meet it are on no tier, and it lifts from tier to tier; the others are as high already"
    return f"none of the {calls} that meet it is on a tier, and it lifts from tier to tier"


def _unreached(policy: Policy, done: Replay) -> Iterator[str]:
    """What is done only to calls on tiers and specialists, where none goes to one."""
    if (done.decisions.entry_lane != done.lanes.logged).any():
        return
    named = [key for key in ON_TIERS if getattr(policy, key)]
    if named:
        yield f"{', '.join(named)}: no call goes to a tier or a specialist, and the others stay as the log has them"


def _meets(store: Store, when: When) -> NDArray[np.bool_]:
    """The calls that meet a condition."""
    conditions = Conditions(ASKED_SQL)
    found: NDArray[np.bool_] = fetch(store, f"{conditions.sql(when)} AS holds", conditions.params)["holds"]
    return found


def _never(store: Store, when: When) -> str:
    never = [atom for atom in _atoms(when) if not _meets(store, atom).any()]
    of_intents = (
        [OF_INTENTS] if any(getattr(atom, "field", "") in {"intent", "external_facts"} for atom in never) else []
    )
    told = "; ".join(dict.fromkeys((*map(condition, never), *of_intents)))
    return f"never in this log: {told}" if never else "never all of it together"


def _unasked(done: Replay) -> Iterator[str]:
    """Data sources that no call asks."""
    sources = [one for one in done.extras.items if one.stage == "data_sources"]
    unasked = [one.name for one in sources if not one.is_done.any()]
    if unasked:
        why = "the ones before have all that is asked for"
        if len(unasked) == len(sources):
            why = f"no call that goes to a tier has the intent external_facts; {OF_INTENTS}"
        yield f"data_sources: nobody asks {', '.join(unasked)}; {why}"


def _unchanged(policy: Policy, done: Replay) -> Iterator[str]:
    """Tiers that an arm of an experiment changes and that no call goes to."""
    for experiment in policy.experiments:
        for name in sorted({name for arm in experiment.arms for name in arm.tiers}):
            if not (done.decisions.entry_lane == done.lanes.number(name)).any():
                yield f"experiments: {experiment.name} changes {name}, and no call goes there, so its arms are alike"


def _unsaved(policy: Policy, done: Replay) -> Iterator[str]:
    """What would make inputs shorter and finds none that is long enough, where calls go to tiers."""
    counts = sent_totals(done)
    if done.sent is None or not (done.decisions.entry_lane != done.lanes.logged).any():
        return
    if policy.context is not None and not counts.get("shortened_count"):
        yield "context changes nothing; no call that goes to a tier is known to have more history than it keeps"
    if policy.compression is not None and not counts.get("compressed_count"):
        least = f"{policy.compression.min_input_tokens:,} input tokens"
        yield f"compression changes nothing; no call that goes to a tier has {least} that no cache served"


def _denied(when: When, *, is_denied: bool = False) -> Iterator[When]:
    """The single conditions that must not hold; one that is denied twice must."""
    match when:
        case All(parts) | Any_(parts):
            for part in parts:
                yield from _denied(part, is_denied=is_denied)
        case Not(part):
            yield from _denied(part, is_denied=not is_denied)
        case Compare() | Is() | OneOf():
            if is_denied:
                yield when


def _atoms(when: When) -> Iterator[When]:
    """The single conditions of a condition, but for what must not hold."""
    match when:
        case All(parts) | Any_(parts):
            for part in parts:
                yield from _atoms(part)
        case Compare() | Is() | OneOf():
            yield when
