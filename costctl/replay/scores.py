"""What scores say about a policy: how good its answers are, and whether it sent requests to the right tier.

A score is of one model's answer to one request. So it is evidence for a call that the policy moves to
that very model; where no such score is, nothing is known, and that is what the report says.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from math import sqrt
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from costctl.replay.again import Found, Main, ratio_of
from costctl.replay.calls import Calls, Flag, Int, plain
from costctl.replay.notes import Replay
from costctl.replay.plan import EXACT_CACHE, FAILED, REFUSED
from costctl.replay.project import Outcome
from costctl.replay.scores_file import Scores
from costctl.report import Table, Value, Warning, counted
from costctl.store import Store

Real: TypeAlias = NDArray[np.float64]
NO_LABEL = -1
Z95 = 1.959963984540054  # both sides together 5 % of a normal distribution
DIGITS = 4
UNKNOWN_ID, SHARED_ID, OF_STRANGERS = "unknown request id", "request id of several calls", "unknown model"
STRANGERS_NAMED = 5


@dataclass(frozen=True)
class Evidence:
    """Scores by price key and labels, both as long as the calls; NaN and -1 where there is none."""

    by_model: Mapping[str, Real]
    label: Int  # number of the expected tier
    nothing: Real
    is_altered: Flag  # the policy asks something else, or changes the answer: what was scored is another one
    counts: tuple[tuple[str, int], ...]  # lines by what became of them; they sum to the lines read
    chance: Mapping[str, Real] = field(default_factory=dict)  # of the log choosing that model, by price key
    strangers: Mapping[str, int] = field(
        default_factory=dict
    )  # lines by model that neither prices, log nor policy know
    elsewhere: Mapping[str, int] = field(default_factory=dict)  # the same of models that prices know, and only these

    @property
    def has_scores(self) -> bool:
        """Whether the file has a score of any call of this log."""
        return any(not np.isnan(scores).all() for scores in self.by_model.values())

    def of_model(self, price_key: str) -> Real:
        """The file's scores of one model."""
        return self.by_model.get(price_key, self.nothing)

    def logged(self, calls: Calls) -> Real:
        """The score of the answer in the log: the file's, else the log's own where those go from 0 to 1."""
        own = calls.quality[~np.isnan(calls.quality)]
        found = calls.quality.copy() if ((own >= 0) & (own <= 1)).all() else self.nothing.copy()
        for code, model in enumerate(calls.models):
            scores = self.of_model(model)
            here = (calls.model == code) & ~np.isnan(scores)
            found[here] = scores[here]
        return found

    def policy_scores(self, outcome: Outcome) -> Real:
        """The score of each answer under the policy, NaN where there is no evidence.

        An answer that an output cap cuts, or to a prompt that the policy changes, is not the one that
        was scored. A cache gives the answer of an earlier call.
        """
        is_whole = outcome.is_served & ~outcome.lanes.take("is_capped", outcome.decisions.lane) & ~self.is_altered
        is_logged = is_whole & (outcome.serving_model == outcome.calls.model)
        found = np.where(is_logged, self.logged(outcome.calls), np.nan)
        for code, model in enumerate(outcome.lanes.models):
            here = is_whole & ~is_logged & (outcome.serving_model == code)
            found[here] = self.of_model(model)[here]
        hits = np.flatnonzero(outcome.decisions.served_by == EXACT_CACHE)
        found[hits] = found[outcome.decisions.answered_by[hits]]
        return found


def altered(done: Replay) -> Flag:
    """The calls whose prompt or answer the policy changes."""
    found = np.zeros(done.calls.count, dtype=np.bool_)
    if done.sent is not None:
        found |= done.sent.is_changed & (done.decisions.lane != done.lanes.logged)
    for item in done.extras.items:
        if item.stage == "post_process":
            found |= item.is_done
    return found


def load_scores(
    store: Store, scores: Scores, calls: Calls, tiers: tuple[str, ...], is_altered: Flag, models: Iterable[str] = ()
) -> Evidence:
    """The scores as the table `score`, and by call; a line of an unknown request or model is counted.

    `models` are those of the log and of the policy, which need no price to be known.
    """
    lines, strangers = scores.lines, scores.unpriced.keys() - {*models}
    columns: dict[str, Any] = {
        "request_id": np.array([one.request_id for one in lines], dtype=object),
        "price_key": np.array([one.price_key for one in lines], dtype=object),
        "score": np.ma.masked_invalid([np.nan if one.score is None else one.score for one in lines]),
        "expected_tier": np.array([one.expected_tier for one in lines], dtype=object),
        "source_line": np.array([one.line for one in lines], dtype=np.int64),
    }
    store.append("score", columns, new="TEMP TABLE")
    found = store.numpy(
        "SELECT s.source_line, coalesce(c.call_count, 0) AS call_count, coalesce(c.position, -1) AS position "
        "FROM score s LEFT JOIN (SELECT request_id, count(*) AS call_count, min(position) AS position "
        "FROM replay_call GROUP BY request_id) c USING (request_id) ORDER BY s.source_line"
    )
    call_count, position = plain(found["call_count"]), plain(found["position"])
    is_strange = np.array([one.price_key in strangers and one.expected_tier is None for one in lines], dtype=np.bool_)
    is_used = (call_count == 1) & ~is_strange
    by_model: dict[str, Real] = defaultdict(lambda: np.full(calls.count, np.nan))
    chance: dict[str, Real] = defaultdict(lambda: np.full(calls.count, np.nan))
    label = np.full(calls.count, NO_LABEL, dtype=np.int64)
    for one, at, is_known in zip(lines, position.tolist(), is_used.tolist(), strict=True):
        if is_known and one.price_key is not None and one.score is not None:
            by_model[one.price_key][at] = one.score
        if is_known and one.price_key is not None and one.propensity is not None:
            chance[one.price_key][at] = one.propensity
        if is_known and one.expected_tier is not None:
            label[at] = tiers.index(one.expected_tier)
    counts = (
        ("used", int(np.count_nonzero(is_used))),
        (UNKNOWN_ID, int(np.count_nonzero(call_count == 0))),
        (SHARED_ID, int(np.count_nonzero(call_count > 1))),
        (OF_STRANGERS, int(np.count_nonzero((call_count == 1) & is_strange))),
    )
    named = Counter(one.price_key for one in lines if one.price_key is not None and one.price_key in strangers)
    here = {*models}
    elsewhere = Counter(
        one.price_key for one in lines if one.price_key is not None and one.price_key not in {*here, *strangers}
    )
    assert sum(count for _, count in counts) == len(lines), "a line of the scores was lost"
    return Evidence(by_model, label, np.full(calls.count, np.nan), is_altered, counts, chance, named, elsewhere)


def mean_of(scores: Real) -> tuple[int, float | None]:
    """How many scores there are, and their mean."""
    known = scores[~np.isnan(scores)]
    return len(known), round(float(known.sum()) / len(known), DIGITS) if len(known) else None


def tell_scores(main: Main, evidence: Evidence, scores: Scores) -> Found:
    """Quality and routing accuracy of the policy, with what they rest on."""
    found, file = Found(), scores.file
    counts = (*evidence.counts, ("not tried: no score", scores.untried))
    found.tables.append(Table.of("scores", ("what", "line_count"), counts))
    if scores.untried:
        lines = counted(scores.untried, "line", "lines")
        found.warnings.append(Warning("W285", f"{lines} of {file} with a model and no score: counted as not tried"))
    found.warnings += _strangers(evidence, scores)
    found.warnings += _elsewhere(main.outcome.lanes.models, evidence, file)
    found.warnings += unused(file, evidence.counts[1:])
    if evidence.has_scores:
        _quality(main.outcome, evidence, found)
    else:
        found.missing["policy_quality_mean"] = f"no evidence: {file} has no score of a call of this log"
    _labels(main, evidence, found)
    return found


def unused_labels(store: Store, scores: Scores | None) -> list[Warning]:
    """What `tell_scores` says of lines that name no call of the log, or several, where only labels are asked for."""
    if scores is None:
        return []
    store.append("labelled", {"request_id": np.array([one.request_id for one in scores.lines], dtype=object)},
                 new="TEMP TABLE")  # fmt: skip
    found = store.query(
        "SELECT count(*) FILTER (c.call_count IS NULL), count(*) FILTER (c.call_count > 1) FROM labelled LEFT JOIN "
        "(SELECT request_id, count(*) AS call_count FROM replay_call GROUP BY request_id) c USING (request_id)"
    )
    return unused(scores.file, zip((UNKNOWN_ID, SHARED_ID), found[0], strict=True))


def unused(file: str, counts: Iterable[tuple[str, int]]) -> list[Warning]:
    """That lines of a file name no call of the log, or several."""
    return [
        Warning(
            "W221",
            f"{counted(count, 'line')} of {file} {'is' if count == 1 else 'are'} not used: {what}",
            "ids: costctl sql 'FROM request'",
        )
        for what, count in counts
        if count and what != OF_STRANGERS
    ]


def _strangers(evidence: Evidence, scores: Scores) -> list[Warning]:
    """Scores of models that nobody knows: most likely they are misspelt."""
    if not evidence.strangers:
        return []
    names, told = _named(evidence.strangers)
    lines = counted(sum(evidence.strangers.values()), "line")
    near = dict.fromkeys(scores.unpriced[name][0] for name in names if scores.unpriced[name])
    hint = (
        f"did you mean {', '.join(near)}?" if near else "name it as the log does, or give it a price: --prices own.yaml"
    )
    text = f"{lines} of {scores.file} with a model that neither the prices, the log nor the policy knows"
    return [Warning("W225", f"{text}, so its score is not used: {told}", hint)]


def _named(count_of: Mapping[str, int]) -> tuple[list[str], str]:
    """The models with the most lines, and those with their counts as one text."""
    names = sorted(count_of, key=lambda name: (-count_of[name], name))
    told = [f"{name} ({count_of[name]:,})" for name in names[:STRANGERS_NAMED]]
    told += [f"{len(names) - STRANGERS_NAMED:,} more"] if len(names) > STRANGERS_NAMED else []
    return names[:STRANGERS_NAMED], ", ".join(told)


def _elsewhere(models: Sequence[str], evidence: Evidence, file: str) -> list[Warning]:
    """Scores of models that have a price and no call: a short name may be that of another seller."""
    if not evidence.elsewhere:
        return []
    names, told = _named(evidence.elsewhere)
    near = dict.fromkeys(one for name in names for one in get_close_matches(name, models, n=1))
    hint = f"did you mean {', '.join(near)}?" if near else "nothing to do where other policies serve them"
    count = sum(evidence.elsewhere.values())
    what = f"{counted(count, 'line')} of {file} {'is' if count == 1 else 'are'} of a model that has a price"
    text = f"{what} and serves no call of the log or the policy"
    return [Warning("W318", f"{text}, so its score says nothing here: {told}", hint)]


def _quality(outcome: Outcome, evidence: Evidence, found: Found) -> None:
    scores = evidence.policy_scores(outcome)
    count, mean = mean_of(scores)
    answered = outcome.is_served | outcome.decisions.is_cached
    whole = int(np.count_nonzero(answered))
    found.tell("quality_evidence_count", count, "exact")
    found.tell("quality_coverage_ratio", ratio_of(count, whole), "exact")
    if mean is None:
        cut = int(np.count_nonzero(outcome.is_served & outcome.lanes.take("is_capped", outcome.decisions.lane)))
        more = (
            f"; {counted(cut, 'answer is', 'answers are')} cut by max_output_tokens, and no score is of such"
            if cut
            else ""
        )
        found.missing["policy_quality_mean"] = f"no evidence: no score of a whole answer of the model that serves{more}"
        return
    # How far scores of some answers speak for the others depends on how those were chosen: `evaluate/claims` says it.
    found.tell("policy_quality_mean", mean, "replayed" if count == whole else "estimated")


def evidence_rows(outcome: Outcome, evidence: Evidence) -> list[tuple[Value, ...]]:
    """Rows of the table `quality`: by tier and serving model, the scores that the policy's answers have."""
    scores = evidence.policy_scores(outcome)
    rows: list[tuple[Value, ...]] = []
    served = outcome.is_served & ~np.isnan(scores)
    for number, tier in enumerate(outcome.lanes.names):
        for code in np.unique(outcome.serving_model[served & (outcome.decisions.lane == number)]).tolist():
            here = served & (outcome.decisions.lane == number) & (outcome.serving_model == code)
            count, mean = mean_of(np.where(here, scores, np.nan))
            moved = int(np.count_nonzero(here & outcome.is_moved))
            rows.append((tier, outcome.lanes.models[code], count, mean, moved, "policy"))
    return rows


def _labels(main: Main, evidence: Evidence, found: Found) -> None:
    """How often the tier is the expected one; calls that a cache answered had none.

    A refused or failed call was routed as any other; that no tier served it counts against the recall.
    """
    outcome, label = main.outcome, evidence.label
    tier_count = outcome.lanes.tier_count
    if not (label != NO_LABEL).any():
        reason = "needs labels: expected_tier in --scores FILE"
        found.missing |= {"routing_accuracy_ratio": reason, "complex_to_premium_ratio": reason}
        return
    made = outcome.decisions
    is_refused = (made.served_by == REFUSED) | (made.served_by == FAILED)
    routed = (outcome.is_served | is_refused) & outcome.calls.is_movable
    asked = routed & (label != NO_LABEL)
    rows: list[tuple[Value, ...]] = []
    for expected in range(tier_count):
        for number, name in enumerate(outcome.lanes.names):
            here = asked & (label == expected) & (made.routed_lane == number)
            for serving in np.unique(made.lane[here & ~is_refused]).tolist():
                count = int(np.count_nonzero(here & ~is_refused & (made.lane == serving)))
                rows.append((outcome.lanes.names[expected], name, outcome.lanes.names[serving], count))
            count = int(np.count_nonzero(here & is_refused))
            if count:  # no tier served them
                rows.append((outcome.lanes.names[expected], name, None, count))
    found.tables.append(Table.of("labels", ("expected_tier", "routed_tier", "tier", "call_count"), rows))
    is_right = made.routed_lane == label
    _ratio(found, "routing_accuracy_ratio", asked, is_right, routed)
    top = tier_count - 1
    is_complex = asked & (label == top)
    _ratio(found, "complex_to_premium_ratio", is_complex, ~is_refused & (made.lane == top), routed)


def _ratio(found: Found, name: str, asked: Flag, is_so: Flag, whole: Flag) -> None:
    """A share of the labelled calls, with Wilson's interval where not every call has a label."""
    count, yes = int(np.count_nonzero(asked)), int(np.count_nonzero(asked & is_so))
    found.tell(f"{name.removesuffix('_ratio')}_count", count, "exact")
    if not count:
        found.missing[name] = "no label of such a call"
        return
    is_whole = found.totals["routing_accuracy_count"] == int(np.count_nonzero(whole))
    found.tell(name, yes / count, "replayed" if is_whole else "estimated")
    if not is_whole:
        low, high = wilson(yes, count)
        found.tell(f"{name}_low", low, "estimated")
        found.tell(f"{name}_high", high, "estimated")


def wilson(yes: float, count: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (Wilson 1927): sound for small counts and shares near 0 and 1.

    The mean of scores from 0 to 1 varies no more than a share does, so of those it is on the safe side.

    >>> wilson(8, 10)
    (0.490162, 0.943318)
    """
    share, z2 = yes / count, Z95 * Z95
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = Z95 / (1 + z2 / count) * sqrt(share * (1 - share) / count + z2 / (4 * count * count))
    return max(round(middle - half, 6), 0.0), min(round(middle + half, 6), 1.0)
