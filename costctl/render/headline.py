"""The head of a simulation: its figures beside the baseline, and what stands next to the cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from costctl.money import ratio_display, usd_display
from costctl.render.cells import cell, safe
from costctl.report import Report, counted

NO_SHARE = "log costs $0"
QUALITY = ("policy_quality_mean", "quality_bound")


def head(report: Report, width: int) -> list[str]:
    """Cost, latency and hits of baseline and policy, why the cost is what it is, and what became of the calls."""
    total: Mapping[str, Any] = report.totals
    made: Mapping[str, Any] = report.provenance
    logs = ", ".join(map(str, made["logs"]))
    cost = (
        f"  COST          {usd_display(total['baseline_cost_usd']):>13} {usd_display(total['policy_cost_usd']):>13}"
        f" {_signed(-total['saving_usd']):>13}   {_saved(total.get('saving_ratio'))}"
    )
    policy = safe(str(made["policy"]), 60) + (f" AS {safe(str(made['as_target']), 40)}" if "as_target" in made else "")
    lines = [
        f"costctl simulate   {policy}   seed {made['seed']}   {safe(logs, max(width - 60, 20))}",
        f"{counted(total['call_count'], 'call')} in time order; baseline: logged models at list {made['price_set']}",
        *_reading(total),
        "",
        f"                {'baseline':>13} {'policy':>13} {'change':>13}",
        cost,
        *idle_engines(total),
    ]
    if "policy_cost_usd_low" in total:
        span = " .. ".join(usd_display(total[f"policy_cost_usd_{end}"]) for end in ("low", "high"))
        shares = total.get("saving_ratio_low"), total.get("saving_ratio_high")
        lines.append(f"  range         {span:>27}   {_saved_range(*shares)}".rstrip())
    if total.get("unanswered_saving_usd"):
        calls = counted(total["unanswered_count"], "call", "calls")
        lines.append(
            f"  of that change {usd_display(-total['unanswered_saving_usd'])} is of {calls} that get no answer here"
        )
    for name in ("p50", "p95", "p99"):
        before, after = total.get(f"baseline_latency_ms_{name}"), total.get(f"policy_latency_ms_{name}")
        if before is not None:
            told = cell(after, "latency_ms") if after is not None else "—"
            low, high = (total.get(f"policy_latency_ms_{name}_{end}") for end in ("low", "high"))
            span = (
                f"   ({cell(low, 'latency_ms')} .. {cell(high, 'latency_ms')})"
                if low is not None and high is not None
                else ""
            )
            lines.append(f"  latency {name}   {cell(before, 'latency_ms'):>13} {told:>13}{span}".rstrip())
    if "baseline_latency_ms_p50" in total:
        lines.append("  latencies are of whole calls with their retries, in audit of single requests")
    hits = ratio_display(total["cache_hit_ratio"]) if "cache_hit_ratio" in total else "—"
    lines.append(f"  cache hits    {'—':>13} {hits:>13}")
    if "exact_judged_count" in total:
        judged = f"wrong by labels: {total['exact_wrong_count']:,} of {total['exact_judged_count']:,}"
        lines.append(f"    exact       {'—':>13} {ratio_display(total['exact_hit_ratio']):>13}   {judged}")
    if "semantic_hit_ratio" in total:
        lines.append(f"    semantic    {'—':>13} {ratio_display(total['semantic_hit_ratio']):>13}   {_wrong(total)}")
        lines += _wrong_per_request(total)
    if total.get("semantic_refresh_ratio"):
        shown = ratio_display(total["semantic_refresh_ratio"])
        lines.append(f"    refreshed   {'—':>13} {shown:>13}   near ones that a cheap tier answers anew")
    counts = (
        ("moved", "moved to another model, shortened or batched"), ("degraded", "taken down by a budget"),
        ("over_budget", "over a budget, served all the same"), ("refused", "refused"),
        ("fallback", "answered by a fallback"), ("escalated", "asked again on a dearer tier"),
        ("limited", "met a provider's limit"), ("queued", "waited for a provider's limit"),
        ("passed_over", "passed over a provider that the kill switch had out"), ("policy_failed", "without an answer"),
    )  # fmt: skip
    lines.append("")
    for key, text in counts:
        count = total.get(f"{key}_count")
        if count:
            before = f" (in the log {total['baseline_failed_count']:,})" if key == "policy_failed" else ""
            lines.append(f"  {count:>9,} {text}{before}")
    return lines


def _reading(total: Mapping[str, Any]) -> list[str]:
    """What became of the log's records, where some of them are no call of their own."""
    if not total.get("merged_count") and not total.get("rejected_count"):
        return []
    count = {name: f"{total[f'{name}_count']:,}" for name in ("accepted", "merged", "ignored", "rejected")}
    parts = " + ".join(f"{number} {name}" for name, number in count.items())
    return [f"{counted(total['records_read_count'], 'record')} = {parts}"]


def _wrong(total: Mapping[str, Any]) -> str:
    """A hit rate is never shown alone."""
    if "wrong_per_hit_ratio" not in total:
        most = total.get("wrong_per_hit_ratio_high")
        return "wrong per hit: not known" + ("" if most is None else f", at most {ratio_display(most)}")
    low, high = (ratio_display(total[f"wrong_per_hit_ratio_{end}"]) for end in ("low", "high"))
    return f"wrong per hit: {ratio_display(total['wrong_per_hit_ratio'])} ({low} .. {high})"


def _wrong_per_request(total: Mapping[str, Any]) -> list[str]:
    """The same of all calls: what reaches a user; nothing where it is not known."""
    low, high = (total.get(f"wrong_per_request_ratio_{end}") for end in ("low", "high"))
    if low is None or high is None:
        return []
    share = total.get("wrong_per_request_ratio")
    told = f"at most {ratio_display(high)}" if share is None else (
        f"{ratio_display(share)} ({ratio_display(low)} .. {ratio_display(high)})"
    )  # fmt: skip
    return [f"{'':46}of all calls: {told}"]


def idle_engines(total: Mapping[str, Any]) -> list[str]:
    """Engine hours that are paid and not used: they may be all that a policy costs more."""
    idle = total.get("self_hosted_idle_cost_usd")
    if not idle:
        return []
    return [
        f"  of that cost {usd_display(idle)} is idle engine time; without it: {_saved_usd(total['saving_usd'] + idle)}"
    ]


def more_figures(total: Mapping[str, Any]) -> list[str]:
    """What stands beside the cost, where there is any of it: fixed costs, quality, routing."""
    lines = []
    if "net_saving_usd" in total:
        days = total.get("payback_days")
        payback, once = "", total.get("one_off_cost_usd")
        if once:
            back = f"paid back in {counted(days, 'day')}" if days else "come on top"
            payback = f"; {usd_display(once)} one-off costs {back}"
        fixed = usd_display(total["fixed_cost_usd"])
        lines.append(f"  net of {fixed} fixed costs: {_saved_usd(total['net_saving_usd'])}{payback}")
    if total["saving_without_routing_usd"] != total["saving_usd"]:
        lines.append(f"  with routing switched off: {_saved_usd(total['saving_without_routing_usd'])}")
    if "policy_quality_mean" in total:
        ends, bounds = ([total.get(f"{name}{end}") for end in ("_low", "_high")] for name in QUALITY)
        span = "" if ends == bounds else _span(total, "policy_quality_mean", str)  # the bounds are the next line
        count, share = total["quality_evidence_count"], ratio_display(total["quality_coverage_ratio"])
        answers = counted(count, "answer")
        lines.append(f"  mean score {total['policy_quality_mean']}{span}, of {answers}, {share} of all")
    if total.get("quality_bound_low") != total.get("quality_bound_high"):
        low, high = total["quality_bound_low"], total["quality_bound_high"]
        lines.append(f"  mean score of all answers: {low} to {high}, whatever the unknown scores are")
    if "off_policy_quality_mean" in total:
        span = _span(total, "off_policy_quality_mean", str)
        count, worth = total["off_policy_call_count"], total["off_policy_effective_count"]
        lines.append(f"  mean score by the log's chances (SNIPS): {total['off_policy_quality_mean']}{span},")
        lines.append(f"    of {counted(count, 'call')} to models; as sure as {counted(worth, 'score')} would make it")
    if "moved_quality_mean" in total:
        span, tries = _span(total, "moved_quality_mean", str), total["probed_call_count"]
        lines.append(
            f"  mean score of {counted(total['probed_of_count'], 'moved answer')}: {total['moved_quality_mean']}{span},"
        )
        lines.append(f"    by {tries:,} tries of the probe plan")
    if "probed_quality_mean" in total:
        span = _span(total, "probed_quality_mean", str)
        lines.append(f"  mean score of all answers by these tries: {total['probed_quality_mean']}{span}")
    for name, text in (
        ("routing_accuracy", "routed to the expected tier, before budgets and attempts"),
        ("complex_to_premium", "of the dearest tier served there"),
    ):
        if f"{name}_ratio" in total:
            span = _span(total, f"{name}_ratio", ratio_display)
            share, count = ratio_display(total[f"{name}_ratio"]), total[f"{name}_count"]
            calls = counted(count, "labelled call")
            lines.append(f"  {name.replace('_', ' ')}: {share}{span} of {calls} {text}")
    return lines


def _saved_usd(saving: Any) -> str:
    return f"saves {usd_display(saving)}" if saving >= 0 else f"costs {usd_display(-saving)} more"


def _span(total: Mapping[str, Any], name: str, shown: Callable[[Any], str]) -> str:
    low, high = total.get(f"{name}_low"), total.get(f"{name}_high")
    return "" if low is None or high is None else f" ({shown(low)} .. {shown(high)})"


def _signed(change: Any) -> str:
    return usd_display(change) if change < 0 else f"+{usd_display(change)}"


def _saved(ratio: float | None) -> str:
    if ratio is None:
        return NO_SHARE
    return f"saves {ratio_display(ratio)}" if ratio >= 0 else f"costs {ratio_display(-ratio)} more"


def _saved_range(low: float | None, high: float | None) -> str:
    """Both ends of the saving; where both are below 0, of what it costs more; nothing of a log that costs nothing."""
    if low is None or high is None:
        return ""
    if high < 0:
        return f"costs {ratio_display(-high)} .. {ratio_display(-low)} more"
    return f"saves {ratio_display(low)} .. {ratio_display(high)}"
