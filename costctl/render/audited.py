"""The screen of an audit: what was spent, where, and how much of it was waste."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costctl.money import tokens_display, usd_display
from costctl.render.cells import cell, safe
from costctl.render.sections import ROWS_SHOWN, Section, section_lines, warned
from costctl.report import Report, Table, counted
from costctl.request import OF_TIME

SPEND = ("request_count", "list_cost_usd", "share_ratio", "cache_read_tokens", "latency_ms_p95")
OF_REQUESTS = ("request_count", "latency_ms_p95")  # what sums over requests do not tell
FIRST = (
    Section("by_model", "SPEND BY MODEL", ("model", *SPEND)),
    Section(
        "anatomy", "ANATOMY OF THE BILL: each priced request in one class; recoverable at most",
        ("title", "request_count", "list_cost_usd", "share_ratio", "recoverable_usd"), 20,
    ),
)  # fmt: skip
THEN = (
    Section("latency_budgets", "LATENCY BUDGETS", ("endpoint", "budget_ms", "latency_ms_p95", "over_ratio")),
    Section(
        "prefix_cache", "PREFIX CACHE: blocks of prompts that one of this size serves again (LRU)",
        ("blocks_held_count", "blocks_served_count", "block_hit_ratio", "served_tokens", "token_hit_ratio"), 20,
    ),
)  # fmt: skip
PLAIN_NOTE = "all of it, at most"  # of a class of the anatomy: the heading says it, and the two amounts are equal
OF_TOKENS = "tokens per request"  # a cause of a jump
MORE_SHOWN = 3
JUMPS_SHOWN = 8
BY_SHOWN, TIMES_SHOWN = 20, 31  # rows of a dimension; of days a whole month
BY_HEADINGS = {
    "by_tag": "SPEND BY TAG: each set of tags once, so that the rows sum to the total",
    "each_tag": "SPEND WITH EACH TAG: a request counts with each of its tags; no sum",
}
# Tables whose content the screen tells in its own words.
TOLD = frozenset({"by_provider", "by_tier", "provider_share", "anomalies", "reconciliation", "rejected", "unpriced"})


def audited(report: Report, width: int) -> list[str]:
    """All lines of the screen."""
    lines = [*_head(report, width)]
    heads = {} if _is_list(report) else {"list_cost_usd": "cost"}
    unknown = () if report.totals["request_count"] else OF_REQUESTS
    told = set(TOLD)
    for section in FIRST:
        columns = tuple(name for name in section.columns if name not in unknown)
        lines += section_lines(report.tables, section._replace(columns=columns, heads=heads), width)
    lines += _anatomy_notes(report)
    for name, table in report.tables.items():
        if name.startswith(("by_", "each_")) and name not in {"by_model", "by_provider", "by_tier"}:
            lines += _dimension(report, table, unknown, heads, width)
            told.add(name)
    lines += ["", *_shares(report), *_reconciled(report), *_jumps(report)]
    for section in THEN:
        lines += section_lines(report.tables, section, width)
    lines += _broken_budgets(report)
    named = {section.table for section in (*FIRST, *THEN)} | told
    hidden = [name for name in report.tables if name not in named and report.tables[name].rows]
    more = f" and {len(hidden) - MORE_SHOWN} more" if len(hidden) > MORE_SHOWN else ""
    lines += ["", *warned(report)]
    lines += [f"  more in --output json|csv|markdown: {', '.join(hidden[:MORE_SHOWN])}{more}"] if hidden else []
    further = "costctl rejects" if report.totals["rejected_count"] else "costctl sql 'SELECT ...'"
    return [*lines, f"  next:  costctl audit LOG --by endpoint   {further}"]


def _dimension(
    report: Report, table: Table, unknown: tuple[str, ...], heads: Mapping[str, str], width: int
) -> list[str]:  # fmt: skip
    """Spend by one dimension; of days and hours the newest ones, as these are asked about."""
    spend = (column for column in ("tokens", *SPEND) if column in table.columns and column not in unknown)
    heading = BY_HEADINGS.get(table.name) or f"SPEND {table.name.replace('_', ' ').upper()}"
    section = Section(table.name, heading, (table.columns[0], *spend), BY_SHOWN, heads=heads)
    if table.columns[0] not in OF_TIME:
        return section_lines(report.tables, section, width)
    earlier, newest = table.rows[:-TIMES_SHOWN], table.rows[-TIMES_SHOWN:]
    heading += ": in time order"
    if earlier:
        heading += f"; {len(earlier):,} earlier, {earlier[0][0]} .. {earlier[-1][0]}: --output json"
    section = section._replace(heading=heading, rows=TIMES_SHOWN)
    return section_lines({table.name: Table(table.name, table.columns, newest)}, section, width)


def _anatomy_notes(report: Report) -> list[str]:
    """How each class is to be read, at last those that are not computed."""
    rows = sorted(_rows(report, "anatomy"), key=lambda row: str(row["note"]).startswith("not computed"))
    return [
        f"  {row['title']}: {safe(str(row['note']), 400)}"
        for row in rows
        if row["note"]
        and row["note"] != PLAIN_NOTE
        and (row["request_count"] != 0 or row["class"] == "near_repeat")  # asked for: none is an answer
    ]


def _shares(report: Report) -> list[str]:
    """Spend by tier and by provider, each on one line."""
    tiers = sorted(_rows(report, "by_tier"), key=lambda row: str(row["tier"]))
    tier_text = "   ".join(f"{row['tier'] or 'none'} {cell(row['share_ratio'], 'ratio')}" for row in tiers)
    providers = []
    for row in _rows(report, "provider_share")[:6]:
        only = f" ({cell(row['only_here_ratio'], 'ratio')} sold only there)" if row["only_here_usd"] else ""
        name = safe(str(row["provider"])) if row["provider"] else "not in the log"
        providers.append(f"{name} {cell(row['share_ratio'], 'ratio')}{only}")
    lines = [f"  SPEND BY TIER      {tier_text}   (no evidence of quality)"]
    if any(row["provider"] for row in _rows(report, "provider_share")):  # else the line would say nothing
        lines.append(f"  SPEND BY PROVIDER  {'   '.join(providers)}")
    return lines


def _reconciled(report: Report) -> list[str]:
    """Logged against list cost: one line where all agree, else the models that differ most."""
    rows = _rows(report, "reconciliation")
    different = [row for row in rows if row["differing_count"]]
    if not rows:
        return []
    if not different:
        count = sum(row["request_count"] for row in rows)
        requests = "the request" if count == 1 else f"all {counted(count, 'request')}"
        return [f"  LOGGED COST        ours to the last digit in {requests} with one"]
    ours = str(report.provenance.get("compared_with", "list"))
    lines = [f"  LOGGED COST differs from {ours}:"]
    for row in different[:5]:
        amounts = f"logged {usd_display(row['logged_cost_usd'])}, {ours} {usd_display(row['list_cost_usd'])}"
        count = f"{row['differing_count']:,} of {row['request_count']:,}"
        lines.append(f"    {safe(str(row['model']), 40)}: {amounts} ({count}): {row['explanation']}")
    return lines


def _jumps(report: Report) -> list[str]:
    """Each cost jump on one line: whose, when, how much more than usual, why."""
    rows = _rows(report, "anomalies")
    if not rows:
        return []
    lines = ["", "  COST JUMPS: more than usual for that scope, and the largest cause"]
    for row in rows[:JUMPS_SHOWN]:
        days = str(row["first_on"]) + (f"..{str(row['last_on'])[8:]}" if row["last_on"] != row["first_on"] else "")
        amount = usd_display(row["excess_usd"])
        cause = "" if row["cause"] == OF_TOKENS else f"{row['cause']}: "  # the note names these
        lines.append(f"  {safe(str(row['name']), 30)}  {days}  {amount}  {cause}{safe(str(row['note']), 200)}")
    return [*lines, f"  and {len(rows) - JUMPS_SHOWN:,} more: --output json"] if len(rows) > JUMPS_SHOWN else lines


def _rows(report: Report, name: str) -> list[dict[str, Any]]:
    return list(report.tables[name].dicts()) if name in report.tables else []


def _broken_budgets(report: Report) -> list[str]:
    broken = [row for row in _rows(report, "token_budgets") if row["over_count"]]
    lines = ["", "  TOKEN BUDGETS EXCEEDED"] if broken else []
    for row in broken[:ROWS_SHOWN]:
        size = f"{tokens_display(row['tokens_per_day_max'])} of {tokens_display(row['budget_tokens'])} tokens a day"
        times = counted(row["over_count"], "time")
        lines.append(
            f"  {row['scope']} {safe(str(row['name']))}: {times}, worst {safe(str(row['worst']))} "
            f"on {row['worst_on']} ({size})"
        )
    return lines


def _head(report: Report, width: int) -> list[str]:
    total: Mapping[str, Any] = report.totals
    logs: Any = report.provenance["logs"]
    dated = total.get("first_at") is not None
    period = f"{cell(total['first_at'], 'at')} .. {cell(total['last_at'], 'at')} UTC" if dated else "undated"
    count = {name: f"{value:,}" for name, value in total.items() if name.endswith("_count")}
    kinds = ("priced", "free", "unpriced")
    priced = ", ".join(
        f"{count[f'{kind}_count']} {kind}" for kind in kinds if kind == "priced" or total[f"{kind}_count"]
    )
    unbilled = total["request_count"] - sum(total[f"{kind}_count"] for kind in kinds)
    if unbilled:
        priced += f", {unbilled:,} without a bill"
    ours = report.provenance.get("compared_with", "list")
    cost = total["list_cost_usd"] if total["priced_count"] or total["free_count"] or _has_priced_sums(report) else None
    tokens = (
        f"in {tokens_display(total.get('input_tokens'))}   cached {_cached(total)}   "
        f"out {tokens_display(total.get('output_tokens'))} tokens"
    )
    lines = [
        f"costctl audit   {safe(', '.join(logs), width - 16)}",
        f"{period}   prices {report.provenance['price_set']}",
        *_chosen_day(report),
        f"{counted(total['records_read_count'], 'record')} = {count['accepted_count']} accepted + "
        f"{count['merged_count']} merged + {count['ignored_count']} ignored + {count['rejected_count']} rejected",
        _requests(total, priced),
        "",
        f"  {_cost_title(report)}  {usd_display(cost)}     {tokens}",
        *([] if _is_list(report) else ["  at your rates, and at list for models that they do not name"]),
    ]
    if total.get("latency_ms_p50") is not None:
        parts = (f"{mark} {cell(total[f'latency_ms_{mark}'], 'ms')}" for mark in ("p50", "p95", "p99"))
        lines.append(f"  latency {'   '.join(parts)}   per successful request")
    if total["failed_list_cost_usd"]:
        lines.append(f"  failed calls, not billed: {usd_display(total['failed_list_cost_usd'])} at {ours}")
    if total.get("logged_cost_usd") is not None:
        lines.append(f"  logged cost {usd_display(total['logged_cost_usd'])}, of the requests that carry one")
    if total.get("monthly_run_rate_usd") is not None:
        lines.append(f"  at this rate {usd_display(total['monthly_run_rate_usd'])} in 30 days: {_basis(total)}")
    return lines


def _cached(total: Mapping[str, Any]) -> str:
    """Tokens read from prompt caches; a dash where no request says what was cached, as that is not 0."""
    of_requests = total["request_count"] - total["unknown_usage_count"]
    is_untold = of_requests and of_requests == total["cache_unknown_count"]
    return tokens_display(None if is_untold else total.get("cache_read_tokens"))


def _chosen_day(report: Report) -> list[str]:
    """At which day's prices the log stands, where that is not the day of each request."""
    total: Mapping[str, Any] = report.totals
    made = report.provenance
    if "prices_as_of" in made:  # it wins over the other
        return [f"prices as of {made['prices_as_of']} for the whole log, whenever a request was made"]
    if "priced_at" in made:
        return [f"priced at {made['priced_at']}: {counted(total['undated_count'], 'undated request')}"]
    return []


def _cost_title(report: Report) -> str:
    """What the total is: at list or not, and of which day if the whole of it is priced at one that was chosen."""
    total: Mapping[str, Any] = report.totals
    title = "LIST COST" if _is_list(report) else "COST"
    is_undated = 0 < total["request_count"] == total["undated_count"]
    day = report.provenance.get("prices_as_of") or (report.provenance.get("priced_at") if is_undated else None)
    return f"{title} AS OF {day}" if day else title


def _is_list(report: Report) -> bool:
    """Whether all prices are list prices, and none a rate of the user."""
    return report.provenance.get("compared_with", "list") == "list"


def _basis(total: Mapping[str, Any]) -> str:
    """What days a projection rests on."""
    days, empty = total["period_day_count"], total["period_day_count"] - total["observed_day_count"]
    return f"mean of {counted(days, 'day')}" + (f", {empty:,} of them without a request" if empty else "")


def _requests(total: Mapping[str, Any], priced: str) -> str:
    """How many requests there are, or how many stand behind the sums of an export."""
    if total["request_count"] or not total.get("aggregate_row_count"):
        return (
            f"{counted(total['request_count'], 'request')} in {counted(total['call_count'], 'call')}, "
            f"{total['error_count']:,} failed; {priced}"
        )
    behind = total.get("aggregate_request_count")
    return (
        f"{counted(total['aggregate_row_count'], 'sum')} over "
        f"{'an unknown number of requests' if behind is None else counted(behind, 'request')}"
    )


def _has_priced_sums(report: Report) -> bool:
    """Whether a report of nothing but sums has a price for some of them."""
    table = report.tables.get("usage_aggregates")
    return not report.totals["request_count"] and table is not None and any(
        row["list_cost_usd"] is not None for row in table.dicts()
    )  # fmt: skip
