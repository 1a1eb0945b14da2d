"""What may be claimed of a simulation's quality: bounds, estimates where the log's choices allow them, what to try.

Given to `simulate` (`Asked.claims`), which lies below and cannot know it.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import numpy as np

from costctl.evaluate.logged_choices import tell_off_policy
from costctl.evaluate.off_policy import bounds
from costctl.evaluate.probe import Plan, plans, template
from costctl.evaluate.probed_told import WHOLE, Planned, tell_probed
from costctl.replay.again import Found, Main
from costctl.replay.calls import UNKNOWN, Flag, Int, codes
from costctl.replay.draws import uniform
from costctl.replay.project import Outcome, usd
from costctl.replay.scores import NO_LABEL, Evidence, Real, altered
from costctl.report import Table, Value, Warning, counted
from costctl.store import Store

STRATA_MAX = 50
"""More endpoints by models than this, and the sample is drawn by model alone."""
DIGITS = 4
MEAN = "policy_quality_mean"
PLAN_COLUMNS = (
    "half_width_ratio", "moved_half_width_ratio", "model", "probe_count", "cost_usd", "untried_count",
    "other_unscored_count",
)  # fmt: skip
NO_IDS = "no moved call can be tried: none has a request id of its own by which a score could come back"


class Claims:
    """Adds what may be claimed to the report; keeps the finest probe plan for a file to fill in."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._models: list[str] = []

    def __call__(self, main: Main, evidence: Evidence | None) -> Found:
        """Bounds, estimates by the log's chances and by probes, the probe plan; `evidence` is of a file of scores."""
        found = Found()
        known = evidence if evidence is not None else _of_log(main)
        scores = known.policy_scores(main.outcome)
        _tell_bounds(main.outcome, scores, found)
        tell_off_policy(main, known, found)
        could = _could_be_tried(main.outcome, known)
        planned = None
        if could.any():
            calls = np.flatnonzero(could & _has_own_id(main.store, len(could)))
            planned = Planned(calls, _strata(main, calls), _draws(main, calls))
            tell_probed(main.outcome, scores, planned, main.seed, found)
        if evidence is not None and evidence.has_scores:
            _tell_ends(main.outcome, scores, found)
        if planned is not None and np.isnan(scores[could]).any():
            self._plan(main, planned, scores, found)
        return found

    def template(self) -> Iterator[tuple[str, ...]]:
        """The finest plan as rows of a file of scores, in the order in which to try them."""
        return template(self._ids, self._models)

    def _plan(self, main: Main, planned: Planned, scores: Real, found: Found) -> None:
        """What is left to try: the calls that stand in the plan's order up to each half-width and have no score yet."""
        outcome, calls = main.outcome, planned.calls
        is_tried = ~np.isnan(scores[calls])
        if is_tried.all():
            found.missing["probe_plan"] = NO_IDS
            return
        costs: Int = outcome.lanes.take("cost_pusd", outcome.decisions.lane)
        is_answered = outcome.is_served | outcome.decisions.is_cached
        whole = int(np.count_nonzero(is_answered))
        made = plans(calls, planned.stratum, planned.draws, costs[calls], whole, is_tried=is_tried)
        is_answered[calls] = False
        others = int(np.count_nonzero(is_answered & np.isnan(scores)))
        found.tables.append(Table.of("probe_plan", PLAN_COLUMNS, _rows(outcome, made, calls[~is_tried], costs, others)))
        ids, finest, widest = _ids(main.store, made[0].rows), made[0], made[-1]
        names = [outcome.lanes.models[code] for code in outcome.serving_model[finest.rows].tolist()]
        self._ids, self._models = ids, names
        listed = zip(ids, names, finest.rows.tolist(), strict=True)
        rows = [(one, name, usd(int(costs[at]))) for one, name, at in listed][: widest.probe_count]
        found.tables.append(Table.of("probes", ("request_id", "model", "cost_usd"), rows))


def _of_log(main: Main) -> Evidence:
    """The evidence of a log's own scores."""
    count = main.done.calls.count
    nothing = np.full(count, np.nan)
    return Evidence({}, np.full(count, NO_LABEL, dtype=np.int64), nothing, altered(main.done), ())


def _tell_bounds(outcome: Outcome, scores: Real, found: Found) -> None:
    """What the mean score of all answers is at least and at most, whatever the unknown scores are."""
    found_bounds = bounds(scores[outcome.is_served | outcome.decisions.is_cached])
    if not found_bounds.known_count:
        found.missing["quality_bound"] = "no score of any answer of the policy is known: it may be anything"
        return
    found.tell("quality_bound_low", round(found_bounds.low, DIGITS), "bounded")
    found.tell("quality_bound_high", round(found_bounds.high, DIGITS), "bounded")
    is_kept = outcome.is_served & (outcome.serving_model == outcome.calls.model)
    unscored = int(np.count_nonzero(is_kept & np.isnan(scores)))
    if unscored:
        what = counted(unscored, "answer that the policy keeps has", "answers that the policy keeps have")
        found.warnings.append(
            Warning("W289", f"{what} no score: nothing shows that they are good, and the bounds take each from 0 to 1",
                    "they are in the log: score them, and give the file to --scores")
        )  # fmt: skip


def _tell_ends(outcome: Outcome, scores: Real, found: Found) -> None:
    """Between what ends the mean score of all answers lies, where only some have one.

    Only tries of the plan stand for the others: then the mean and its interval are those that they give. Scores that
    came about in another way may be of the answers that somebody liked, so that nothing is left but the bounds.
    """
    answered = outcome.is_served | outcome.decisions.is_cached
    count, whole = int(np.count_nonzero(~np.isnan(scores[answered]))), int(np.count_nonzero(answered))
    if count in {0, whole}:
        return
    if WHOLE in found.totals:
        for end in ("", "_low", "_high"):
            found.tell(f"{MEAN}{end}", found.totals[f"{WHOLE}{end}"], found.status[f"{WHOLE}{end}"])
        return
    for end in ("_low", "_high"):
        found.tell(f"{MEAN}{end}", found.totals[f"quality_bound{end}"], "bounded")
    found.tell(f"{MEAN}", round(float(np.nanmean(scores[answered])), DIGITS), "bounded")
    said = f"policy_quality_mean is of {count:,} of {counted(whole, 'answer')}; nothing is known of the others"
    found.warnings.append(
        Warning("W222", f"{said}, so a gate takes each of them as 0 or 1, whichever is worse",
                "score more of the moved calls: --scores FILE; the tries of --probes FILE stand for the rest")
    )  # fmt: skip


def _has_own_id(store: Store, count: int) -> Flag:
    """The calls that a line of scores can name: those whose request id no other call has."""
    own = store.numpy(
        "SELECT any_value(position) AS position FROM replay_call WHERE request_id IS NOT NULL "
        "GROUP BY request_id HAVING count(*) = 1"
    )
    has_own = np.zeros(count, dtype=np.bool_)
    has_own[np.asarray(own["position"])] = True
    return has_own


def _could_be_tried(outcome: Outcome, known: Evidence) -> Flag:
    """The answers of other models than the logged ones that the policy leaves whole."""
    lane = outcome.decisions.lane
    is_whole = ~outcome.lanes.take("is_capped", lane) & ~known.is_altered
    return np.asarray(outcome.is_served & outcome.lanes.take("is_other_model", lane) & is_whole)


def _draws(main: Main, calls: Int) -> Real:
    """The draw of each call, by its id and the seed."""
    return uniform(main.seed, main.outcome.calls.draw_key[calls], "probe")


def _strata(main: Main, calls: Int) -> Int:
    """Endpoint by serving model as a number; by the model alone where that would be too many."""
    endpoint, _ = codes(main.store, "endpoint")
    model = main.outcome.serving_model[calls]
    both: Int = (endpoint[calls].astype(np.int64) + 1) * (int(model.max(initial=0)) + 1) + model
    is_few = len(np.unique(both)) <= STRATA_MAX
    number: Int = np.unique(both if is_few else model, return_inverse=True)[1].astype(np.int64)
    return number


def _rows(outcome: Outcome, made: list[Plan], untried: Int, costs: Int, others: int) -> Iterator[tuple[Value, ...]]:
    """For each half-width how many calls to try on each model, and their list price there."""
    model = outcome.serving_model[untried]
    for plan in made:
        tried = outcome.serving_model[plan.rows]
        for code in np.unique(model).tolist():
            pusd = [int(one) for one in costs[plan.rows[tried == code]]]
            price: Decimal | None = None if UNKNOWN in pusd else usd(sum(pusd))
            moved, of = round(plan.drawn_half_width_ratio, DIGITS), int(np.count_nonzero(model == code))
            yield plan.half_width_ratio, moved, outcome.lanes.models[code], len(pusd), price, of, others


def _ids(store: Store, rows: Int) -> list[str]:
    """The request ids of these calls, in their order."""
    store.append("probe", {"place": np.arange(len(rows)), "position": rows}, new="TEMP TABLE")
    found = store.query("SELECT c.request_id FROM probe p JOIN replay_call c USING (position) ORDER BY p.place")
    return [str(one) for (one,) in found]
