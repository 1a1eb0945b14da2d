"""What routing has to beat: the same calls all on one model, a random mix of two, the best choice for each call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from costctl.replay.calls import Calls, Flag, Int, exact_sum, span_us
from costctl.replay.candidates import Candidate
from costctl.replay.capacity import bill, shared_out
from costctl.replay.project import Outcome, usd
from costctl.replay.scores import Evidence, Real, mean_of
from costctl.report import Table, Value, counted

COLUMNS = (
    "reference", "cost_usd", "left_as_logged_count", "share_ratio", "scored_count", "mean_score", "policy_mean_score",
    "what",
)  # fmt: skip
MOST_PUSD = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Single:
    """All calls on one model; those that it cannot take stay as logged."""

    name: str
    model: str  # price key
    is_taken: Flag
    cost_pusd: Int
    is_engine: bool  # of one's own, paid by hours

    @property
    def total_pusd(self) -> int:
        """What the log would have cost on this model."""
        return exact_sum(self.cost_pusd)


@dataclass(frozen=True)
class Known:
    """A file of scores, and those of the policy's answers: a reference is compared on the calls that have these."""

    evidence: Evidence
    of_policy: Real

    @property
    def count(self) -> int:
        """The calls that the mean of the policy is of."""
        return int(np.count_nonzero(~np.isnan(self.of_policy)))

    def shared(self, scores: Real) -> Real:
        """The scores of the calls whose answer under the policy has a score as well."""
        return np.where(np.isnan(self.of_policy), np.nan, scores)

    def compared(self, count: int, policy_mean: float | None, own_count: int) -> str:
        """What to know of a mean of `count` shared calls, empty where they are all that the policy's mean is of."""
        if count == self.count:
            return "no mean: no answer of the policy has a score" if own_count and not count else ""
        there = "" if policy_mean is None else f", where the policy's is {policy_mean}"
        return (
            f"a mean of {count:,} of the {counted(self.count, 'call')} of the policy's{there}: not comparable with it"
        )


def references(
    outcome: Outcome,
    candidates: Mapping[str, Candidate],
    windows: Mapping[str, int | None],
    evidence: Evidence | None = None,
) -> Table:
    """The policy, then its references; empty where the policy names no model.

    `windows` are the context windows by price key, `evidence` the scores where a file of them was given.
    """
    calls = outcome.calls
    singles = sorted(
        (_single(calls, name, one, windows.get(one.price_key)) for name, one in candidates.items()),
        key=lambda one: (one.total_pusd, one.name),
    )
    if not singles:
        return Table.of("references", COLUMNS, [])
    spent = exact_sum(outcome.policy_pusd)
    known = None if evidence is None else Known(evidence, evidence.policy_scores(outcome))
    whole = int(np.count_nonzero(outcome.is_served | outcome.decisions.is_cached))
    plain = "" if known is None or known.count in {0, whole} else (
        f"the plain mean of these scores, of {counted(whole, 'answer')}; policy_quality_mean may weight them"
    )  # fmt: skip
    rows = [
        _row("policy", spent, None, None, known, None if known is None else known.of_policy, plain),
        _best(calls, singles, known),
        _random(calls, singles, spent, known),
        _oracle(outcome, candidates, known),
    ]
    rows += [
        _row(f"all on {one.name}", one.total_pusd, _left(one), None, known, _scores(calls, one, known), "")
        for one in singles
    ]
    return Table.of("references", COLUMNS, rows)


def _single(calls: Calls, name: str, candidate: Candidate, window: int | None) -> Single:
    fits = np.ones(calls.count, dtype=np.bool_)
    if window is not None:
        fits = (calls.input_tokens + candidate.output_tokens <= window) | candidate.is_logged
    is_taken = calls.is_movable & candidate.is_known & fits
    cost, engine = np.where(is_taken, candidate.cost_pusd, calls.baseline_pusd), candidate.engine
    if engine is not None:
        tokens = candidate.output_tokens[is_taken]
        cost[is_taken] = shared_out(bill(engine, span_us(calls), exact_sum(tokens)).pusd, tokens)
    return Single(name, candidate.price_key, is_taken, cost, engine is not None)


def _left(one: Single) -> int:
    return int(np.count_nonzero(~one.is_taken))


def _row(
    name: str, cost_pusd: int | None, left: int | None, share: Fraction | None, known: Known | None,
    scores: Real | None, what: str,
) -> tuple[Value, ...]:  # fmt: skip
    """A row; its mean is of calls that the policy has a score of as well, beside the policy's mean of those."""
    count, mean, policy_mean = None, None, None
    if known is not None and scores is not None:
        mine = known.shared(scores)
        count, mean = mean_of(mine)
        policy_mean = mean_of(np.where(np.isnan(mine), np.nan, known.of_policy))[1]
        what = "; ".join(part for part in (what, known.compared(count, policy_mean, mean_of(scores)[0])) if part)
    cost = None if cost_pusd is None else usd(cost_pusd)
    return name, cost, left, None if share is None else float(share), count, mean, policy_mean, what


def _scores(calls: Calls, one: Single, known: Known | None) -> Real | None:
    if known is None:
        return None
    return np.where(one.is_taken, known.evidence.of_model(one.model), known.evidence.logged(calls))


def _best(calls: Calls, singles: list[Single], known: Known | None) -> tuple[Value, ...]:
    """Of the models that take every call that can move at all the one with the best mean score, of equals the cheapest.

    Compared are those with a score on each call that the policy has one of; without any nobody knows which it is,
    unless only one can take every call.
    """
    able = [one for one in singles if one.is_taken[calls.is_movable].all()]
    if not able:
        what = "not identifiable: none of the policy's models can take every call"
        return _row("best_single_model", None, None, None, None, None, what)
    best, why, means = able[0], "no other model can", dict[int, float]()
    for at, one in enumerate(able):
        scores = _scores(calls, one, known)
        count, mean = (0, None) if known is None or scores is None else mean_of(known.shared(scores))
        if known is not None and mean is not None and count == known.count:
            means[at] = mean
    if not means and len(able) > 1:
        what = "not identifiable: no scores of the models (--scores FILE)" if known is None else (
            f"not identifiable: none of {counted(len(able), 'model')} has a score of every call "
            "that the policy has one of"
        )  # fmt: skip
        return _row("best_single_model", None, None, None, None, None, what)
    if means:
        best = able[max(means, key=lambda at: (means[at], -at))]
        lacking = len(able) - len(means)
        why = "best score" + (
            f", {counted(lacking, 'other model lacks scores', 'other models lack scores')}" * (lacking > 0)
        )
    scores = _scores(calls, best, known)
    return _row(
        "best_single_model", best.total_pusd, _left(best), None, known, scores, f"{best.name}, keeps every call: {why}"
    )


def _random(calls: Calls, singles: list[Single], spent_pusd: int, known: Known | None) -> tuple[Value, ...]:
    """The mix of the cheapest and the dearest model bought by tokens that costs what the policy costs.

    Its score is what the draws give on average, of calls with a score of both.
    """
    singles = [one for one in singles if not one.is_engine]
    if not singles:
        what = "not identifiable: all models of the policy are paid by hours"
        return _row("random_at_equal_cost", None, None, None, None, None, what)
    cheap, dear = singles[0], singles[-1]
    low, high = cheap.total_pusd, dear.total_pusd
    if low == high or not low <= spent_pusd <= high:
        why = "only one price" if low == high else f"the policy costs {'less' if spent_pusd < low else 'more'}"
        what = f"not identifiable: {why} (mixes of {cheap.name} and {dear.name})"
        return _row("random_at_equal_cost", None, None, None, None, None, what)
    share = Fraction(spent_pusd - low, high - low)
    assert low + share * (high - low) == spent_pusd, "the mix does not cost what the policy costs"
    low_scores, high_scores = _scores(calls, cheap, known), _scores(calls, dear, known)
    scores = None
    if low_scores is not None and high_scores is not None:
        scores = low_scores + float(share) * (high_scores - low_scores)
    what = f"share of {dear.name}, the rest {cheap.name}"
    return _row("random_at_equal_cost", spent_pusd, None, share, known, scores, what)


def _oracle(outcome: Outcome, candidates: Mapping[str, Candidate], known: Known | None) -> tuple[Value, ...]:
    """Of each served call the model with the best score, the cheapest of equals; other calls as the policy has them."""
    calls = outcome.calls
    if known is None:
        what = "not identifiable: no scores of other models (--scores FILE)"
        return _row("oracle", None, None, None, None, None, what)
    evidence = known.evidence
    scores, costs = [evidence.logged(calls)], [calls.baseline_pusd]
    for _, one in sorted(candidates.items()):
        usable = one.is_known & ~one.is_logged
        scores.append(np.where(usable, evidence.of_model(one.price_key), np.nan))
        costs.append(one.cost_pusd)
    stacked = np.stack(scores)
    is_choice = (np.count_nonzero(~np.isnan(stacked), axis=0) > 1) & calls.is_movable & outcome.is_served
    count = int(np.count_nonzero(is_choice))
    if not count:
        what = "not identifiable: no served call has scores of two models that the log or the policy uses"
        return _row("oracle", None, None, None, None, None, what)
    ranked = np.where(np.isnan(stacked), -1.0, stacked)
    best = ranked.max(axis=0)
    cheapest = np.where(ranked == best, np.stack(costs), MOST_PUSD).min(axis=0)
    cost = np.where(is_choice, cheapest, outcome.policy_pusd)
    what = f"the best score of each of {counted(count, 'call')}, the cheapest of equals; the rest as the policy"
    return _row("oracle", exact_sum(cost), None, None, known, np.where(is_choice, best, known.of_policy), what)
