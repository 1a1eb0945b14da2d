"""The figures of a simulation that a gate may bound, by the names of the machine contract."""

from __future__ import annotations

from collections.abc import Collection
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


def unknown_figure(name: str, known: Collection[str] = METRICS) -> str | None:
    """Why a figure cannot be bounded, with the nearest known one; None where it can."""
    if name in known:
        return None
    near = get_close_matches(name, known, n=1)
    hint = f", did you mean {near[0]}?" if near else "; its figures are the totals of simulate --output json"
    return f"unknown figure {shown(name)}{hint}"
