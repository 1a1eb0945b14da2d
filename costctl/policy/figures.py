"""The figures of a simulation that a gate may bound, by the names of the machine contract."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from difflib import get_close_matches

from costctl.policy.units import shown

METRICS = (
    "records_read_count", "accepted_count", "merged_count", "ignored_count", "rejected_count",
    "call_count", "baseline_cost_usd", "policy_cost_usd", "saving_usd", "saving_ratio", "exact_hit_ratio",
    "semantic_hit_ratio", "semantic_refresh_ratio", "cache_hit_ratio", "prompt_cache_read_ratio",
    "wrong_per_hit_ratio", "wrong_per_request_ratio", "routing_accuracy_ratio", "complex_to_premium_ratio",
    "moved_count", "degraded_count", "over_budget_count", "refused_count", "left_as_logged_count", "fallback_count",
    "timeout_count", "escalated_count", "retry_count", "hedge_count", "queued_count", "limited_count",
    "passed_over_count", "baseline_failed_count", "policy_failed_count", "saving_without_routing_usd", "fixed_cost_usd",
    "net_saving_usd", "payback_days", "policy_quality_mean", "quality_coverage_ratio", "quality_evidence_count",
    "routing_accuracy_count", "complex_to_premium_count", "shortened_count", "compressed_count", "instructed_count",
    "batched_count", "data_source_call_count", "data_source_miss_count", "post_process_call_count",
    "self_hosted_cost_usd", "self_hosted_idle_cost_usd", "self_hosted_call_count", "one_off_cost_usd",
    "classifier_count", "classifier_cheap_ratio", "classifier_loss_bound_ratio",
    "off_policy_quality_mean", "off_policy_call_count", "off_policy_effective_count",
    "moved_quality_mean", "probed_quality_mean", "probed_call_count", "probed_of_count",
    *(f"{whose}_latency_ms_p{percent}" for whose in ("baseline", "policy") for percent in (50, 95, 99)),
)  # fmt: skip


CHANGES = ("_delta", "_growth_ratio")
"""Ends of the names of changes between two runs."""


def unknown_figure(name: str, known: Collection[str] = METRICS) -> str | None:
    """Why a figure cannot be bounded, with the nearest known one; None where it can."""
    if name in known:
        return None
    for change in CHANGES:
        if name.removesuffix(change) in METRICS:
            return f"{name} compares two runs: it is for costctl gate --compare-to base.json --fail-if 'CONDITION'"
    near = get_close_matches(name, known, n=1)
    hint = f", did you mean {near[0]}?" if near else "; its figures are the totals of simulate --output json"
    return f"unknown figure {shown(name)}{hint}"


def never_holds(name: str, operator: str, bound: Decimal) -> str | None:
    """Why no run can keep a gate: a share is at most 1, a count at least 0; None where one can.

    >>> never_holds("saving_ratio", ">=", Decimal(40))
    'can never hold: saving_ratio is a share, at most 1; 40 % is 0.4'
    >>> never_holds("saving_ratio", ">=", Decimal("0.4")), never_holds("refused_count", "<", Decimal(0))
    (None, 'can never hold: refused_count is never below 0')
    """
    is_share = name.endswith(("_ratio", "_quality_mean"))
    if is_share and (bound > 1 if operator in (">=", "=") else operator == ">" and bound >= 1):
        meant = f"; {bound:f} % is {(bound / 100).normalize():f}" if 1 < bound <= 100 else ""
        return f"can never hold: {name} is a share, at most 1{meant}"
    may_be_negative = "saving" in name
    if not may_be_negative and (bound < 0 if operator in ("<=", "=") else operator == "<" and bound <= 0):
        return f"can never hold: {name} is never below 0"
    return None
