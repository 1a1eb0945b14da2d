"""The screen of `costctl simulate`: the answer first, then where it comes from and what it rests on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from costctl.money import usd_display
from costctl.render.cells import escaped, safe
from costctl.render.exported import alike
from costctl.render.grid import grid
from costctl.render.headline import head, more_figures
from costctl.report import Report, Table, counted

# A table, its heading, its columns by priority, and how many of its rows are shown.
SECTIONS = (
    ("gates", "GATES", ("verdict", "gate", "value", "level", "reason"), 50),
    ("as_written", "BESIDE IT: the policy as it is written, replayed on the same calls",
     ("as", "policy_cost_usd", "saving_usd", "saving_ratio", "failed_count", "refused_count", "latency_ms_p95",
      "cache_hit_ratio", "fallback_count"), 3),
    ("waterfall", "WHERE THE CHANGE COMES FROM: in the order of the stages, sums exactly",
     ("title", "call_count", "change_usd"), 20),
    ("by_tier", "BY TIER",
     ("tier", "call_count", "share_ratio", "baseline_cost_usd", "policy_cost_usd", "moved_count"), 12),
    ("by_model", "BY MODEL: calls by who answers them, dollars by whom they are paid to",
     ("model", "policy_cost_usd", "baseline_cost_usd", "policy_call_count", "baseline_call_count"), 8),
    ("prompt_cache_arms", "PROMPT CACHES: the same policy if they save nothing, or do what they did in the log",
     ("arm", "policy_cost_usd", "what"), 4),
    ("budgets", "BUDGETS: calls by the first cap that each is over",
     ("cap", "limit", "degraded_count", "over_budget_count", "refused_count", "passed_over_count"), 20),
    ("sent", "WHAT IS SENT: input tokens step by step, with the work that a step takes beside the call",
     ("title", "call_count", "input_tokens_before", "input_tokens_after", "price_change_usd", "extra_cost_usd"), 8),
    ("extra_calls", "WORK BESIDE THE CALLS", ("name", "model", "call_count", "input_tokens", "cost_usd"), 8),
    ("data_sources", "DATA SOURCES: each asked where the one before had nothing",
     ("source", "call_count", "hit_count", "hit_ratio", "cost_usd", "latency_ms"), 8),
    ("self_hosted", "ENGINES OF ONE'S OWN: paid by the hour, idle or not; dollars per million output tokens",
     ("name", "accelerator", "call_count", "busy_ratio", "cost_usd", "per_million_output_usd", "queue_ms_p95",
      "full_load_per_million_output_usd", "accelerator_count", "engine", "quantization"), 8),
    ("attempts", "ATTEMPTS: by the tier that a call went to first",
     ("tier", "call_count", "answered_count", "limited_count", "passed_over_count", "retry_count", "fallback_count",
      "timeout_count", "escalated_count", "hedge_count", "queued_count"), 12),
    ("semantic_curve", "SEMANTIC CACHE AT OTHER THRESHOLDS: alone, over the same calls",
     ("serve_min", "semantic_hit_count", "semantic_hit_ratio", "wrong_per_hit_ratio", "wrong_per_hit_ratio_low",
      "wrong_per_hit_ratio_high", "own_prompt_hit_count"), 8),
    ("latency_priors", "LATENCIES ASSUMED: of models that the log does not show",
     ("model", "call_count", "first_token_ms", "output_tokens_per_s", "source"), 12),
    ("routing", "WHY: what chose the tier, before budgets and fallbacks", ("reason", "kind", "call_count"), 16),
    ("classifier", "LEARNED ROUTER: what its file promises of traffic like its labels; of others it says nothing",
     ("file", "call_count", "cheap_count", "loss_bound_ratio", "confidence_ratio", "seen_loss_ratio",
      "unseen_loss_ratio", "label_count", "cheap_tier", "dear_tier"), 1),
    ("classifier_evidence", "HOW ITS FILE SAYS THAT IT WAS JUDGED: on requests that it had not seen",
     ("split", "router", "apgr", "cpt50_ratio", "cpt80_ratio"), 12),
    ("quality", "SCORES: of the log's answers, and with --scores of the policy's",
     ("tier", "scored_model", "scored_count", "mean_score", "moved_count", "scored_in"), 12),
    ("probe_plan", "WHAT TO TRY (--probes FILE lists it, --scores FILE takes results): half widths, 95 %, of the mean "
     "of all answers, once the other unscored ones have scores too; of the moved answers alone",
     ("half_width_ratio", "moved_half_width_ratio", "probe_count", "model", "cost_usd", "other_unscored_count",
      "untried_count"), 16),
    ("labels", "TIERS EXPECTED AND GIVEN: by the route, and the tier that served in the end",
     ("expected_tier", "routed_tier", "tier", "call_count"), 16),
    ("references", "WHAT ROUTING HAS TO BEAT: the same calls, moved ones uncached",
     ("reference", "cost_usd", "share_ratio", "left_as_logged_count", "scored_count", "mean_score"), 10),
    ("staged", "ROADMAP: levers added one after another; the published bands are claims of vendors, not measurements",
     ("lever", "saving_ratio", "claimed_low_ratio", "claimed_high_ratio", "policy_cost_usd"), 4),
    ("fixed_costs", "FIXED COSTS: for the span of the log",
     ("name", "fixed_cost_usd", "per_month_usd", "one_off_usd"), 8),
    ("arms", "EXPERIMENTS: each arm on its own units; paired: dollars a call against the first arm, all calls in both",
     ("experiment", "arm", "call_count", "saving_ratio", "paired_usd", "paired_usd_low", "paired_usd_high",
      "unit_count", "cache_hit_ratio", "latency_ms_p95"), 12),
    ("sweep", "SWEEP: the policy with other sizes and lifetimes of the exact cache",
     ("ttl", "capacity", "exact_hit_ratio", "policy_cost_usd", "saving_usd", "saving_ratio"), 100),
    ("scenarios", "THE SAME LOG UNDER STRESS: replays of their own",
     ("scenario", "policy_cost_usd", "saving_ratio", "failed_count", "degraded_count", "refused_count",
      "over_budget_count", "latency_ms_p95"), 8),
)  # fmt: skip
RESTS_ON = "tokens of a model that did not answer, per logged token"
# What each table says, for a form that shows them all.
HEADINGS = {name: heading for name, heading, _, _ in SECTIONS} | {"assumptions": f"RESTS ON: {RESTS_ON}"}
# Half of a reason or a limit tells nothing: texts of these go on in the next line; how wide the first column stays.
WRAPPED = {"gates": 12, "budgets": 20, "latency_priors": 20, "routing": 30, "scenarios": 20}
# Where the names of the columns would leave no room for both ends of an interval.
HEADS = {
    "semantic_curve": {
        "semantic_hit_count": "hits", "semantic_hit_ratio": "of calls", "wrong_per_hit_ratio": "wrong/hit",
        "wrong_per_hit_ratio_low": "low end", "wrong_per_hit_ratio_high": "high end",
        "own_prompt_hit_count": "own prompt",
    },
}  # fmt: skip
COMPARED_MAX = 40
CONFIG_LINES = 18
NOT_ASKED = "the policy has no "  # such figures are not missing: nobody asked for them; --output json lists them too
NOTED = ("classifier", "references", "staged", "scenarios", "self_hosted")
Row = Mapping[str, Any]


def simulation(report: Report, width: int, section: Callable[[str, str, tuple[str, ...], int], list[str]]) -> list[str]:
    """The lines of the screen; `section` lays out one table."""
    lines = [*head(report, width), *more_figures(report.totals), *_as_target(report), *_compared(report, width)]
    for name, heading, columns, rows in SECTIONS:
        if name in report.tables and report.tables[name].rows:
            filled = _happened if name == "attempts" else _filled
            lines += section(name, heading, filled(report.tables[name], columns), rows)
        if name in NOTED:
            lines += _notes(report, name)
    return [*lines, *_configuration(report, width), *_rests(report)]


def _configuration(report: Report, width: int) -> list[str]:
    """The beginning of the router configuration that the policy implies, or where all of them were written."""
    folder = report.provenance.get("exported_to")
    if folder is not None:
        losses: list[Row] = list(report.tables["export_losses"].dicts())
        count = len(report.tables["export_files"].rows)
        lines = ["", f"  ROUTER CONFIGURATION: {counted(count, 'file', 'files')} in {safe(str(folder), 60)}/"]
        measured = [row for row in report.tables["export_agreement"].dicts() if row["call_count"] is not None]
        agreed = {str(row["target"]): f"; {alike(row)}" for row in measured}
        for target in dict.fromkeys(str(row["target"]) for row in losses):
            of_target = [row for row in losses if row["target"] == target]
            kinds = [row["kind"] for row in of_target]
            told = ", ".join(f"{kinds.count(kind)} {kind}" for kind in ("expressed", "approximated", "dropped"))
            dropped = ", ".join(str(row["part"]) for row in of_target if row["kind"] == "dropped")
            lines.append(
                f"    {safe(target)}: {told}{agreed.get(target, '')}{': ' if dropped else ''}{safe(dropped, 400)}"
            )
        return lines
    table = report.tables.get("router_config")
    if table is None or not table.rows:
        return []
    rows: list[Row] = list(table.dicts())
    shown = min(CONFIG_LINES, len(rows))
    name = safe(str(rows[0]["path"]), 60)
    lines = ["", f"  ROUTER CONFIGURATION {name}: {shown} of {counted(len(rows), 'line')} (all: --export DIR)"]
    texts = [escaped(str(row["text"])).rstrip() for row in rows[:shown]]
    return lines + [f"    {text if len(text) <= width - 4 else f'{text[: width - 5]}…'}".rstrip() for text in texts]


def _as_target(report: Report) -> list[str]:
    """What the router does of the policy in another way, part by part."""
    if "as_target" not in report.tables:
        return []
    name = safe(str(report.provenance["as_target"]), 40)
    rows: list[Row] = list(report.tables["as_target"].dicts())
    lines = ["", f"  AS {name}: {'what it does instead' if rows else 'it does all that this policy says'}"]
    for row in rows:
        how = "" if row["how"] == "as it does" else f"{row['how']}: "
        lines.append(f"    {safe(str(row['part']), 60)}  {how}{safe(str(row['instead']), 400)}")
    return lines


def _filled(table: Table, columns: tuple[str, ...]) -> tuple[str, ...]:
    """The columns that hold anything, and the first two."""
    held = {name for row in table.dicts() for name, value in row.items() if value is not None}
    return tuple(name for name in columns if name in held or name in columns[:2])


def _happened(table: Table, columns: tuple[str, ...]) -> tuple[str, ...]:
    """The columns of what happened at least once, and the first three: what never did needs no room."""
    happened = {name for row in table.dicts() for name, value in row.items() if value}
    return tuple(name for name in columns if name in happened or name in columns[:3])


def _notes(report: Report, name: str) -> list[str]:
    """What the rows of a table say in words, below it."""
    table = report.tables.get(name)
    rows = table.dicts() if table is not None else ()
    return [f"  {safe(str(next(iter(row.values()))))}: {safe(str(row['what']), 300)}" for row in rows if row["what"]]


def _compared(report: Report, width: int) -> list[str]:
    """The figures that differ from the earlier run."""
    table = report.tables.get("compare")
    if table is None:
        return []
    base: Any = report.provenance["compared_to"]
    rows = [row for row in table.rows if row[1] != row[2]]
    count = f"{len(rows)} of {len(table.rows)} figures differ"
    lines = ["", f"  COMPARED WITH {safe(str(base['file']), 40)}, policy {safe(str(base['policy']), 60)}: {count}"]
    if base["differs"]:
        lines.append(f"  not the policy alone: {safe('; '.join(base['differs']), 400)}")
    shown = Table(table.name, table.columns, tuple(rows))
    return [*lines, *grid(shown, table.columns, width, COMPARED_MAX)] if rows else lines


def _predicted_reads(report: Report, *, is_first: bool) -> list[str]:
    """What of the saving rests on reads of prompt caches that the log does not show."""
    table = report.tables.get("prompt_cache_arms")
    arms: dict[str, Any] = {str(row["arm"]): row["policy_cost_usd"] for row in table.dicts()} if table else {}
    if not arms or arms["pessimistic"] == arms["replayed"]:
        return []
    saved = usd_display(arms["pessimistic"] - arms["replayed"])
    said = f"predicted reads of prompt caches: {saved} of the saving, nothing at its low end"
    return [f"  RESTS ON  {said}" if is_first else f"    {said}"]


def _rests(report: Report) -> list[str]:
    """What the figures rest on: statuses, token ratios, what is not computed."""
    rows = list(report.tables["assumptions"].dicts())
    lines = [""]
    if rows:
        lines.append(f"  RESTS ON  {RESTS_ON}")
    shown = [
        row for row in rows if str(row["what"]).startswith("output tokens") or row["factor_low"] != row["factor_high"]
    ]
    shown.sort(key=lambda row: (-int(str(row["call_count"])), str(row["logged_model"]), str(row["what"])))
    for row in shown[:6]:
        span = f" ({row['factor_low']} .. {row['factor_high']})" if row["factor_low"] != row["factor_high"] else ""
        pair = safe(f"{row['logged_model']} -> {row['model']}", 60)
        calls = counted(int(str(row["call_count"])), "call")
        lines.append(f"    {pair}: {row['what']} x {row['factor']}{span}, {row['how']}, {calls}")
    if len(shown) > 6:
        lines.append(f"    and {len(shown) - 6} more: --output json")
    lines += _predicted_reads(report, is_first=not rows)
    missing: Any = report.provenance["not_computed"]
    reasons: dict[str, list[str]] = {}
    for name, reason in missing.items():
        if reason.startswith(NOT_ASKED):
            continue
        reasons.setdefault(reason, []).append(str(name).removesuffix("_ratio").removesuffix("_count").replace("_", " "))
    lines += ["  NOT COMPUTED"] if reasons else []
    lines += [f"    {', '.join(names)}: {reason}" for reason, names in reasons.items()]
    return [*lines, ""]
