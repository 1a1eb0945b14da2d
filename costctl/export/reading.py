"""How a target decides, as we read its rules: what it is told of a request, and the lane that it then sends it to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from costctl.export.decision import decision_data
from costctl.export.resolved import Lane, Resolved
from costctl.export.runtime.deciding import Decider
from costctl.export.vllm_plan import ALWAYS, Plan
from costctl.export.vllm_signals import METADATA, Tree

SENT = frozenset(
    (
        "request_model", "model", "provider", "temperature", "stream", "max_output_tokens", "response_format",
        "tool_count", "turn_count", "has_image", "prompt_chars", "system_chars", "history_chars", "tool_chars",
        "user_chars",
    )
)  # fmt: skip
"""What every router sees of a request: its parameters, and how long its texts are."""
_CHARS_PER_TOKEN = 4
_HOLDS = {"gt": np.greater, "gte": np.greater_equal, "lt": np.less, "lte": np.less_equal}
Flags = NDArray[np.bool_]


class Told(NamedTuple):
    """One call: the last message of its user, and the columns of the log by name (None where it does not say)."""

    text: str
    beside: Mapping[str, Any]


@dataclass(frozen=True)
class Reading:
    """`sees` are the columns that the target is told; `lanes` gives the lane of each call, None where it has none."""

    sees: frozenset[str]
    lanes: Callable[[Sequence[Told]], list[str | None]]
    says: str

    def of(self, calls: Sequence[Told]) -> list[str | None]:
        """The lanes of these calls, of which the target is told only what it sees."""
        return self.lanes([Told(one.text, {key: one.beside.get(key) for key in self.sees}) for one in calls])


def ours(given: Resolved, more: frozenset[str], otherwise: Lane, says: str) -> Reading:
    """A target that asks our decision; `otherwise` takes what the policy leaves on the logged model."""
    written = {lane.name for lane in given.lanes if lane.models}

    def lanes(calls: Sequence[Told]) -> list[str | None]:
        decider = Decider(decision_data(given.policy, given.content, given.book, given.router))
        found = []
        for one in calls:
            body = {"messages": [{"role": "user", "content": one.text}]}
            tier = decider.decide(body, dict(one.beside))["tier"]
            found.append(tier if tier in written else otherwise.name)
        return found

    return Reading(SENT | more, lanes, says)


def by_text(lane_of: Callable[[str], str], says: str) -> Reading:
    """A target that looks at the last message alone."""
    return Reading(frozenset(), lambda calls: [lane_of(one.text) for one in calls], says)


def by_signals(plan: Plan, otherwise: Lane) -> Reading:
    """The first step of which the signals hold; what none takes goes to `otherwise`."""
    says = "the texts of its signals, four characters for a token, and the metadata that the caller sends"
    return Reading(SENT | set(METADATA), lambda calls: _steps(plan, otherwise, calls), says)


def _steps(plan: Plan, otherwise: Lane, calls: Sequence[Told]) -> list[str | None]:
    signals = _Signals(plan, calls)
    found: list[str | None] = [None] * len(calls)
    left = np.ones(len(calls), dtype=np.bool_)
    for step in plan.steps:
        for at in np.flatnonzero(left & signals.holds(step.tree)):
            found[int(at)], left[at] = step.lane.name, False
    return [otherwise.name if one is None else one for one in found]


class _Signals:
    """The signals of a plan over some calls, each looked up once."""

    def __init__(self, plan: Plan, calls: Sequence[Told]) -> None:
        self._rules = {(kind, one["name"]): one for kind, rules in plan.signals.families.items() for one in rules}
        import polars as pl  # noqa: PLC0415  (only who measures on a log needs it: a check of files does not)

        self._texts = pl.Series([one.text for one in calls], dtype=pl.String)
        self._calls = calls
        self._known: dict[tuple[str, str], Flags] = {}

    def holds(self, tree: Tree) -> Flags:
        """Of which calls a tree holds."""
        if tree == ALWAYS:
            return np.ones(len(self._calls), dtype=np.bool_)
        if "operator" not in tree:
            key = (tree["type"], tree["name"])
            if key not in self._known:
                self._known[key] = self._told(tree["type"], self._rules[key])
            return self._known[key]
        parts = [self.holds(one) for one in tree["conditions"]]
        if tree["operator"] == "NOT":
            return ~parts[0]
        return (np.logical_and if tree["operator"] == "AND" else np.logical_or).reduce(parts)  # type: ignore[no-any-return]

    def _told(self, kind: str, rule: Mapping[str, Any]) -> Flags:
        if kind == "context":
            tokens = self._column("prompt_chars") // _CHARS_PER_TOKEN
            return tokens >= int(rule["min_tokens"])
        if kind == "metadata":
            wanted = rule["predicate"]["in"]
            return np.array([one.beside.get(rule["key"]) in wanted for one in self._calls], dtype=np.bool_)
        source = rule["feature"]["source"]
        if source["type"] == "image_content":
            return self._column("has_image") > 0
        if source["type"] == "regex":
            counted = self._texts.str.count_matches(source["pattern"]).to_numpy()
        else:
            counted = self._column("tool_count" if source["type"] == "tool_definition" else "turn_count")
        limits = rule.get("predicate", {"gte": 1})
        holding = [_HOLDS[sign](counted, limit) for sign, limit in limits.items()]
        return np.logical_and.reduce(holding)  # type: ignore[no-any-return]

    def _column(self, name: str) -> NDArray[np.int64]:
        """A number of each call; the router counts what it does not see as none."""
        return np.array([int(one.beside.get(name) or 0) for one in self._calls], dtype=np.int64)
