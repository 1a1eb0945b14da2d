"""From decisions to numbers: costs, waterfall, tables. Nothing here decides anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from costctl.replay.calls import DAY_US, Calls, Flag, Int, exact_sum
from costctl.replay.candidates import Candidate
from costctl.replay.engine import Decisions
from costctl.replay.extras import TITLES as EXTRA_TITLES
from costctl.replay.extras import Extras
from costctl.replay.kernel import AS_LOGGED
from costctl.replay.lanes import Lanes
from costctl.replay.plan import DEGRADED, EXACT_CACHE, FAILED, PROVIDER, REFUSED, SEMANTIC_CACHE
from costctl.replay.ratios import Ratio
from costctl.replay.stages.prompt_cache import Cached
from costctl.report import Table, Value

PUSD = Decimal(10) ** -12


def usd(pusd: int) -> Decimal:
    """Dollars of whole picodollars, with all twelve decimals."""
    return (Decimal(pusd) * PUSD).quantize(PUSD)


@dataclass(frozen=True)
class Outcome:
    """What the replay gave, per call; money in picodollars."""

    calls: Calls
    lanes: Lanes
    decisions: Decisions
    policy_pusd: Int
    cached: Cached
    is_served: Flag  # a provider answered
    is_moved: Flag  # by another model, or with other tokens, than the log shows
    serving_model: Int
    extras: Extras

    @property
    def used_pusd(self) -> Int:
        """What each call costs without its part of engines that nobody used."""
        return sum((-one for one in self.extras.idle_pusd.values()), self.policy_pusd)


def outcome_of(calls: Calls, lanes: Lanes, decisions: Decisions, cached: Cached, extras: Extras) -> Outcome:
    """Costs and models that follow from the decisions."""
    is_served = decisions.served_by == PROVIDER
    cost = walked_cost(lanes, decisions) + cached.change_pusd + extras.pusd
    moved = is_served & lanes.take("is_changed", decisions.lane)
    serving = lanes.take("model", decisions.lane)
    return Outcome(calls, lanes, decisions, cost, cached, is_served, moved, serving, extras)


def walked_cost(lanes: Lanes, decisions: Decisions) -> Int:
    """What each call costs by the walk alone: on its lane, or by what its attempts came to."""
    cost: Int = np.where(decisions.served_by == PROVIDER, lanes.take("cost_pusd", decisions.lane), 0)
    if decisions.played is None:
        return cost
    return np.where(decisions.played.cost_pusd == AS_LOGGED, cost, decisions.played.cost_pusd)


def waterfall(outcome: Outcome) -> Table:
    """The change by stage, in the order of the stages; the rows sum to policy minus baseline, exactly."""
    calls, lanes, made, extras = outcome.calls, outcome.lanes, outcome.decisions, outcome.extras
    is_hit, is_refused, is_refreshed = made.is_cached, made.served_by == REFUSED, made.is_refreshed
    is_semantic = (made.served_by == SEMANTIC_CACHE) | is_refreshed
    is_tried, every = outcome.is_served | (made.served_by == FAILED), np.ones(calls.count, dtype=np.bool_)
    routed, entered = lanes.take("uncapped_pusd", made.routed_lane), lanes.take("uncapped_pusd", made.entry_lane)
    asked = lanes.take("cost_pusd", made.entry_lane)
    uncapped, changes = _sent_changes(outcome, entered)
    attempted = outcome.policy_pusd - outcome.cached.change_pusd - extras.pusd - asked
    steps = (
        ("exact_cache", "exact cache", made.served_by == EXACT_CACHE, -calls.baseline_pusd),
        *(
            (
                (
                    "semantic_cache",
                    "semantic cache",
                    is_semantic,
                    np.where(is_refreshed, routed, 0) - calls.baseline_pusd,
                ),
            )
            if is_semantic.any()
            else ()
        ),
        ("route", "tier routing", ~is_hit & ~is_refreshed, routed - calls.baseline_pusd),
        ("budgets", "budgets", ~is_hit, np.where(is_refused, 0, entered) - routed),
        *((name, title, is_tried, change) for name, title, change in changes),
        ("context", "output caps", is_tried, asked - uncapped),
        ("attempts", "retries, fallbacks, escalation", is_tried, attempted),
        ("prompt_cache", "provider prompt caches", outcome.is_served, outcome.cached.change_pusd),
        *((name, EXTRA_TITLES[name], every, extras.of_stage(name)) for name in extras.own_stages),
    )
    rows = [
        (name, title, int(np.count_nonzero(concerned & (change != 0))), usd(exact_sum(change, concerned)))
        for name, title, concerned, change in steps
    ]
    return Table.of("waterfall", ("stage", "title", "call_count", "change_usd"), rows)


def _sent_changes(outcome: Outcome, entered: Int) -> tuple[Int, list[tuple[str, str, Int]]]:
    """The cost of what is sent, and the change by each step, with the work that it takes beside the call."""
    before, changes = entered, []
    steps = outcome.lanes.take("steps_pusd", outcome.decisions.entry_lane) if outcome.lanes.stages else []
    for (name, title), after in zip(outcome.lanes.stages, steps, strict=True):
        changes.append((name, title, after - before + outcome.extras.of_stage(name)))
        before = after
    return before, changes


def by_tier(outcome: Outcome) -> Table:
    """Calls and dollars by the lane that served them; calls that a cache answered or that were refused apart."""
    made, calls = outcome.decisions, outcome.calls
    rows: list[tuple[Value, ...]] = []
    for number, name in enumerate(outcome.lanes.names):
        here = outcome.is_served & (made.lane == number)
        rows.append(_tier_row(outcome, name, here))
    rows.append(_tier_row(outcome, "exact cache", made.served_by == EXACT_CACHE))
    rows.append(_tier_row(outcome, "semantic cache", made.served_by == SEMANTIC_CACHE))
    rows.append(_tier_row(outcome, "refused", made.served_by == REFUSED))
    rows.append(_tier_row(outcome, "no answer", made.served_by == FAILED))
    columns = (
        "tier", "call_count", "share_ratio", "baseline_cost_usd", "policy_cost_usd", "degraded_count", "moved_count",
    )  # fmt: skip
    assert sum(int(str(row[1])) for row in rows) == calls.count, "a call is in no tier, or in two"
    rows = [row for row in rows if row[1]]
    if outcome.extras.idle_pusd:
        idle = sum(exact_sum(one) for one in outcome.extras.idle_pusd.values())
        rows.append(("idle engines", 0, 0.0, usd(0), usd(idle), 0, 0))
    return Table.of("by_tier", columns, rows)


def _tier_row(outcome: Outcome, name: str, here: Flag) -> tuple[Value, ...]:
    count = int(np.count_nonzero(here))
    degraded = int(np.count_nonzero(here & ((outcome.decisions.notice & DEGRADED) > 0)))
    return (
        name, count, count / outcome.calls.count, _known_usd(outcome, outcome.calls.baseline_pusd, here),
        _known_usd(outcome, outcome.used_pusd, here), degraded, int(np.count_nonzero(here & outcome.is_moved)),
    )  # fmt: skip


def by_model(outcome: Outcome) -> Table:
    """Each model's calls and dollars, in the log and under the policy; both columns sum to their totals.

    A call counts at the model that answers it; dollars stand at the model that they are paid for: attempts at the
    one that was tried, work beside the calls at the one that does it. Work of no model is a row of its own.
    """
    rows: list[tuple[Value, ...]] = []
    walked, beside = outcome.policy_pusd - outcome.extras.pusd, _paid_beside(outcome)
    played = outcome.decisions.played
    tried: dict[str | None, int] = {}
    if played is not None:
        tried.update(zip(outcome.lanes.models, played.paid_pusd, strict=True))
    is_tried = np.zeros(outcome.calls.count, dtype=np.bool_) if played is None else played.cost_pusd != AS_LOGGED
    for code, name in [*enumerate(outcome.lanes.models), (-1, None)]:
        logged = outcome.calls.model == code
        serving = outcome.is_served & (outcome.serving_model == code)
        if name is None:
            serving = serving | (outcome.decisions.served_by == FAILED)
        counts = int(np.count_nonzero(logged)), int(np.count_nonzero(serving))
        elsewhere = beside.pop(name, 0) + tried.get(name, 0)
        if played is not None:
            elsewhere -= exact_sum(played.cost_pusd, serving & is_tried)
        if any(counts) or elsewhere:
            spent = _known_usd(outcome, walked, serving)
            rows.append((
                name, counts[0], _known_usd(outcome, outcome.calls.baseline_pusd, logged), counts[1],
                spent if not elsewhere else (spent or 0) + usd(elsewhere),
            ))  # fmt: skip
    rows += [(name, 0, usd(0), 0, usd(pusd)) for name, pusd in sorted(beside.items(), key=str) if pusd]
    rows.sort(key=lambda row: (-max(row[2] or Decimal(0), row[4] or Decimal(0)), str(row[0])))  # type: ignore[operator]
    columns = ("model", "baseline_call_count", "baseline_cost_usd", "policy_call_count", "policy_cost_usd")
    whole = sum((Decimal(str(row[4] or 0)) for row in rows), Decimal(0))
    assert whole == usd(exact_sum(outcome.policy_pusd)), "the models do not sum to the cost"
    return Table.of("by_model", columns, rows)


def _paid_beside(outcome: Outcome) -> dict[str | None, int]:
    """The work beside the calls by whom it is paid to, in picodollars."""
    paid: dict[str | None, int] = {}
    for item in outcome.extras.items:
        for name, pusd in item.paid_pusd.items():
            paid[name] = paid.get(name, 0) + pusd
    return paid


def _known_usd(outcome: Outcome, pusd: Int, here: Flag) -> Decimal | None:
    """The sum, None where calls are there and none of them has a price: unknown is not free."""
    if here.any() and outcome.calls.is_unpriced[here].all() and not pusd[here].any():
        return None
    return usd(exact_sum(pusd, here))


def prompt_cache_arms(outcome: Outcome) -> Table:
    """The policy's cost under three readings of the providers' prompt caches."""
    cached, spent = outcome.cached, exact_sum(outcome.policy_pusd)
    neutral = spent - exact_sum(cached.change_pusd) + exact_sum(cached.neutral_change_pusd)
    rows = (
        ("pessimistic", usd(spent + prompt_cache_saving(outcome)), "no call saves by a predicted read"),
        ("replayed", usd(spent), "by session, caller and model, cold after a switch"),
        ("neutral", usd(neutral), "every call reads what it read in the log"),
    )
    return Table.of("prompt_cache_arms", ("arm", "policy_cost_usd", "what"), rows)


def prompt_cache_saving(outcome: Outcome) -> int:
    """What predicted reads of prompt caches save on the calls that they make cheaper, in picodollars."""
    return -exact_sum(np.minimum(outcome.cached.change_pusd, 0))


def daily(outcome: Outcome) -> Table:
    """Calls and dollars per UTC day."""
    days = np.where(outcome.calls.is_dated, outcome.calls.time_us // DAY_US, np.iinfo(np.int64).min)
    rows = []
    for day in np.unique(days).tolist():
        here = days == day
        label = "undated" if day == np.iinfo(np.int64).min else str(np.datetime64(day, "D"))
        hits = int(np.count_nonzero(here & (outcome.decisions.served_by == EXACT_CACHE)))
        near = int(np.count_nonzero(here & (outcome.decisions.served_by == SEMANTIC_CACHE)))
        baseline, spent = exact_sum(outcome.calls.baseline_pusd, here), exact_sum(outcome.policy_pusd, here)
        rows.append((label, int(np.count_nonzero(here)), hits, near, usd(baseline), usd(spent), usd(baseline - spent)))
    columns = (
        "day",
        "call_count",
        "exact_hit_count",
        "semantic_hit_count",
        "baseline_cost_usd",
        "policy_cost_usd",
        "saving_usd",
    )
    return Table.of("daily", columns, rows)


def quality(outcome: Outcome) -> Table:
    """Logged scores by the tier that the policy gives and the model that was scored.

    A score belongs to the model that answered in the log. How another model would have answered the
    same calls is not known, so moved calls carry no evidence.
    """
    calls, made = outcome.calls, outcome.decisions
    rows: list[tuple[Value, ...]] = []
    scored = outcome.is_served & ~np.isnan(calls.quality)
    for number, tier in enumerate(outcome.lanes.names):
        for code, model in enumerate(calls.models):
            here = scored & (made.lane == number) & (calls.model == code)
            count = int(np.count_nonzero(here))
            if count:
                moved = int(np.count_nonzero(here & outcome.is_moved))
                mean = round(float(calls.quality[here].sum()) / count, 4)
                rows.append((tier, model, count, mean, moved))
    return Table.of("quality", ("tier", "scored_model", "scored_count", "mean_score", "moved_count"), rows)


OF_REFERENCES = ", references only"


class Rest(NamedTuple):
    """A ratio that part of the policy's cost rests on; money in picodollars."""

    logged: str
    model: str
    call_count: int
    input_pusd: int
    output_pusd: int
    input: Ratio
    output: Ratio


def rests(outcome: Outcome, candidates: dict[str, Candidate]) -> Iterator[Rest]:
    """Every pair of logged and serving model with calls of its own, and the ratios that it rests on."""
    by_key = {one.price_key: one for one in candidates.values()}
    lane_price = outcome.policy_pusd - outcome.extras.pusd
    for code, key in enumerate(outcome.lanes.models):
        candidate = by_key.get(key)
        if candidate is None:
            continue
        here = outcome.is_served & outcome.is_moved & (outcome.serving_model == code)
        output = outcome.lanes.take("output_tokens", outcome.decisions.lane) * candidate.output_price_pusd
        for logged_code, logged in enumerate(outcome.calls.models):
            ratio = candidate.output_ratios.get(logged)
            pair = here & (outcome.calls.model == logged_code)
            count = int(np.count_nonzero(pair))
            if ratio is not None and count:
                spent, of_output = exact_sum(lane_price, pair), exact_sum(output, pair)
                if candidate.engine is not None:  # its hours cost the same, however many tokens it writes
                    spent = of_output = 0
                yield Rest(logged, key, count, spent - of_output, of_output, candidate.input_ratios[logged], ratio)


def rests_of_references(calls: Calls, candidates: dict[str, Candidate], rest: list[Rest]) -> Iterator[Rest]:
    """Pairs of a logged model and one of the policy that only the references bring together, with their ratios."""
    told = {(one.logged, one.model) for one in rest}
    for candidate in {one.price_key: one for one in candidates.values()}.values():
        here = calls.is_movable & candidate.is_known & ~candidate.is_logged
        for code, logged in enumerate(calls.models):
            ratio, count = candidate.output_ratios.get(logged), int(np.count_nonzero(here & (calls.model == code)))
            if ratio is not None and count and (logged, candidate.price_key) not in told:
                yield Rest(logged, candidate.price_key, count, 0, 0, candidate.input_ratios[logged], ratio)


def cost_range(policy_pusd: int, rest: list[Rest], cached_pusd: int = 0) -> tuple[Decimal, Decimal]:
    """The policy's cost if every ratio stood at its low or at its high end, decisions as they are.

    `cached_pusd` is what predicted reads of prompt caches save: at the high end they save nothing.
    """
    ends = []
    for end in ("low", "high"):
        change = sum(
            (
                part * (getattr(ratio, end) / ratio.value - 1)
                for one in rest
                for part, ratio in ((Decimal(one.input_pusd), one.input), (Decimal(one.output_pusd), one.output))
            ),
            Decimal(0),
        )
        unread = cached_pusd if end == "high" else 0
        ends.append(usd(int((policy_pusd + change).to_integral_value()) + unread))
    return ends[0], ends[1]
