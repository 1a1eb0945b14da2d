"""The figures of a simulation as a whole, why calls took their lane, and the token ratios that its cost rests on."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np

from costctl.replay import project
from costctl.replay.again import unanswered
from costctl.replay.budgets_told import held_by_floor
from costctl.replay.calls import exact_sum
from costctl.replay.notes import Replay
from costctl.replay.plan import DEGRADED, EXACT_CACHE, OVER_BUDGET, REFUSED, SEMANTIC_CACHE
from costctl.report import Table, Value


def totals_of(outcome: project.Outcome, rest: list[project.Rest]) -> tuple[dict[str, Any], dict[str, str]]:
    """Money, hits and counts of calls, and the standing of each."""
    calls, made = outcome.calls, outcome.decisions
    baseline, spent = exact_sum(calls.baseline_pusd), exact_sum(outcome.policy_pusd)
    hits = int(np.count_nonzero(made.served_by == EXACT_CACHE))
    near = int(np.count_nonzero(made.served_by == SEMANTIC_CACHE))
    count = max(calls.count, 1)
    totals: dict[str, Any] = {
        "call_count": calls.count,
        "baseline_cost_usd": project.usd(baseline),
        "policy_cost_usd": project.usd(spent),
        "saving_usd": project.usd(baseline - spent),
        **({"saving_ratio": _share(baseline - spent, baseline)} if baseline else {}),
        "exact_hit_ratio": hits / count,
        "cache_hit_ratio": (hits + near) / count,
        "moved_count": int(np.count_nonzero(outcome.is_moved)),
        "degraded_count": int(np.count_nonzero(made.notice & DEGRADED)),
        "over_budget_count": int(np.count_nonzero(made.notice & OVER_BUDGET)),
        "refused_count": int(np.count_nonzero(made.served_by == REFUSED)),
        "left_as_logged_count": int(np.count_nonzero(~calls.is_movable)),
    }
    lost_count, kept = unanswered(outcome)
    if lost_count:
        totals |= {"unanswered_count": lost_count, "unanswered_saving_usd": project.usd(kept)}
    status = {name: "exact" if name.startswith(("call", "baseline")) else "replayed" for name in totals}
    ratios = [ratio for one in rest for ratio in (one.input, one.output)]
    cached = project.prompt_cache_saving(outcome)
    if cached or any(ratio.low != ratio.high for ratio in ratios):
        low, high = project.cost_range(spent, rest, cached)
        whole = project.usd(baseline)
        totals |= {"policy_cost_usd_low": low, "policy_cost_usd_high": high,
                   "saving_usd_low": whole - high, "saving_usd_high": whole - low}  # fmt: skip
        if baseline:
            totals |= {"saving_ratio_low": _share(whole - high, whole), "saving_ratio_high": _share(whole - low, whole)}
        for name in totals:
            if name.startswith(("policy_cost", "saving")):
                status[name] = "estimated"
    elif ratios:
        for name in {"policy_cost_usd", "saving_usd", "saving_ratio"} & totals.keys():
            status[name] = "replayed under assumption"
    return totals, status


def read_ratio(outcome: project.Outcome) -> float | None:
    """The share of all input tokens that the policy's calls read from a prompt cache."""
    known = outcome.is_served & (outcome.calls.input_tokens >= 0)
    tokens = outcome.lanes.take("input_tokens", outcome.decisions.lane)
    return _share(exact_sum(outcome.cached.read_tokens, known), exact_sum(tokens, known))


def _share(part: int | Decimal, whole: int | Decimal) -> float | None:
    return float(Decimal(part) / Decimal(whole)) if whole else None


def routing_reasons(done: Replay) -> Table:
    """Why calls took their lane: each rule, raise and floor with the calls that it decided."""
    routed = done.routed
    calls = done.calls
    asked = calls.is_movable
    rows: list[tuple[Value, ...]] = []
    for kind, names, column in (
        ("route", routed.reasons, routed.reason),
        ("raise", routed.raises, routed.raised_by),
        ("floor", routed.floors, routed.floored_by),
    ):
        counts = np.bincount(column[asked & (column >= 0)], minlength=len(names))
        rows += [(kind, name, int(count)) for name, count in zip(names, counts.tolist(), strict=True)]
    made = done.decisions
    held = held_by_floor(made, routed, done.plan, done.lanes)
    counts = np.bincount(held[held >= 0], minlength=len(routed.floors))
    rows += [
        ("floor", f"{name}: kept from a budget", int(count))
        for name, count in zip(routed.floors, counts.tolist(), strict=True)
        if count
    ]
    is_routed = asked & calls.is_dated & ~calls.is_unpriced & ~made.is_cached & ~made.is_refreshed
    stuck = int(np.count_nonzero(is_routed & (made.routed_lane != routed.lane)))
    if stuck and done.plan.session is not None:
        rows.append(("sticky", "its session or user was served higher before", stuck))
    unfit = int(np.count_nonzero(routed.does_not_fit))
    if unfit:
        rows.append(("fit", "does not fit: next tier that can hold it", unfit))
    return Table.of("routing", ("kind", "reason", "call_count"), rows)


def assumptions_table(rest: list[project.Rest], of_references: list[project.Rest]) -> Table:
    """The token ratios that the policy's cost rests on, then those that only its references do."""
    rows = [
        (
            one.logged,
            one.model,
            one.call_count,
            kind + among,
            f"{ratio.value:.3f}",
            f"{ratio.low:.3f}",
            f"{ratio.high:.3f}",
            ratio.how,
        )
        for among, ratios in (("", rest), (project.OF_REFERENCES, of_references))
        for one in ratios
        for kind, ratio in (("input tokens", one.input), ("output tokens", one.output))
    ]
    columns = ("logged_model", "model", "call_count", "what", "factor", "factor_low", "factor_high", "how")
    return Table.of("assumptions", columns, rows)
