"""The terminal: what a person reads first."""

from __future__ import annotations

from collections.abc import Mapping
from os.path import commonpath

from costctl.render.audited import audited
from costctl.render.cells import WORDS_MAX, cell, of_one_request, safe
from costctl.render.checked import checked, known, mappings
from costctl.render.described import described
from costctl.render.exported import exported
from costctl.render.reconciled import reconciled
from costctl.render.sections import Section, section_lines, warned, with_picture
from costctl.render.simulated import HEADS, WRAPPED, simulation
from costctl.render.wrap import wrapped
from costctl.report import Report, Table

RECONCILED = Section(
    "by_model", "BY MODEL: each day in --output json",
    ("model", "log_cost_usd", "invoice_cost_usd", "difference_usd", "unexplained_usd", "reading"), 30,
)  # fmt: skip
# Where the heading of the table says it.
PER_MILLION = {
    "input_usd_per_million": "input", "output_usd_per_million": "output", "cache_read_usd_per_million": "cache read",
    "service_tier": "tier", "old_usd_per_million": "old", "new_usd_per_million": "new",
}  # fmt: skip
# Commands with more columns than a screen: what to show of them.
SCREENS: Mapping[str, tuple[Section, ...]] = {
    "estimate": (
        Section("mix", "MIX", ("model", "share_ratio", "request_count", "list_cost_usd"), 50),
        Section("estimate", "COST", ("model", "list_cost_usd", "request_cost_usd", "price_status"), 200,
                wrap_from=30),
        Section("arithmetic", "ARITHMETIC", ("model", "arithmetic"), 200, wrap_from=24),
    ),
    "gate": (Section("gates", "GATES", ("verdict", "gate", "value", "level", "reason"), 200, wrap_from=12),),
    "diff": (
        Section("diff", "FIGURES: an arrow where a change exceeds its interval, ≈ where it does not",
                ("metric", "base", "now", "change", "arrow", "status"), 100),
        Section("tiers", "BY TIER: share of calls, and cost",
                ("tier", "base_share_ratio", "now_share_ratio", "change_ratio", "base_cost_usd", "now_cost_usd"), 30),
        Section("gates", "GATES", ("gate", "level", "base_verdict", "now_verdict", "base_value", "now_value"), 200),
    ),
    "prices show": (
        Section("models", "MODELS", ("model", "price_key", "price_reason", "near"), 50, may_cut=False),
        Section(
            "rates", "RATES: USD per million tokens; source and the rarer units are in --output json",
            ("price_key", "input_usd_per_million", "output_usd_per_million", "hours_utc", "weekdays", "from_at",
             "input_over_tokens", "service_tier", "to_at", "cache_read_usd_per_million"), 500, wrap_from=16,
            heads=PER_MILLION,
        ),
    ),
    "prices diff": (
        Section(
            "changed", "CHANGED: USD per million tokens",
            ("price_key", "old_usd_per_million", "new_usd_per_million", "unit", "service_tier", "hours_utc"), 1000,
            wrap_from=20, heads=PER_MILLION,
        ),
        Section("added", "ADDED", ("price_key",), 200),
        Section("removed", "REMOVED", ("price_key",), 200),
        Section("reworked", "REWORKED: other rates differ", ("price_key",), 200),
    ),
    "models": (
        Section(
            "models", "MODELS: USD per million tokens; who says the rest is in --output json",
            ("model", "input_usd_per_million", "output_usd_per_million", "context_tokens", "standing", "router_label",
             "quality_ratio", "speed_tokens_per_s", "tier", "best_use"), 400, wrap_from=30, heads=PER_MILLION,
        ),
    ),
}  # fmt: skip


def to_terminal(report: Report, width: int = 80) -> str:
    """The screen; numbers are never cut, columns are dropped by priority and names shortened."""
    screens = {"audit": audited, "simulate": _simulated, "export-config": _exported, "formats check": _checked,
               "reconcile": _reconciliation, "formats": _formats, "policy check": described,
               "rejects": _rejects, "calibrate": _calibrated}  # fmt: skip
    lines = screens.get(report.command, _plain)(report, width)
    files = mappings(report) if report.command == "formats check" else []
    return "\n".join([*wrapped(lines, width), *files]) + "\n"


def _plain(report: Report, width: int) -> list[str]:
    return [*_totals(report), *_tables(report, width, {}), *warned(report)]


def _tables(report: Report, width: int, headings: Mapping[str, str]) -> list[str]:
    """The tables of a command in its own order, or all that it has, under their headings or names."""
    screen = SCREENS.get(report.command) or [
        Section(name, headings.get(name) or name.replace("_", " ").upper(), table.columns, 1000, may_cut=False)
        for name, table in report.tables.items()
    ]
    lines: list[str] = []
    for section in screen:
        lines += with_picture(report, section, width)
    return lines


def _totals(report: Report) -> list[str]:
    return [
        f"  {name.replace('_', ' ')}: {cell(value, of_one_request(report.command, name))}"
        for name, value in report.totals.items()
    ]


def _simulated(report: Report, width: int) -> list[str]:
    def section(name: str, heading: str, columns: tuple[str, ...], rows: int) -> list[str]:
        wrap_from, heads = WRAPPED.get(name, 0), HEADS.get(name, {})
        return with_picture(report, Section(name, heading, columns, rows, wrap_from=wrap_from, heads=heads), width)

    lines = [*simulation(report, width, section), *warned(report), ""]
    return [*lines, "  next:  costctl explain-request ID   costctl simulate --decisions decisions.jsonl --output json"]


def _calibrated(report: Report, width: int) -> list[str]:
    """The proposal, its promise in words, and what to do with it."""
    told, per = report.provenance.get("guarantee"), report.provenance.get("per", "hit")
    headings = {
        "tried": f"TRIED: until the upper end of wrong per {per} is beyond what was asked",
        "thresholds": "HITS ON OTHER PROMPTS BY THRESHOLD",
    }
    promise = ["", f"  PROMISE  {safe(str(told), WORDS_MAX)}"] if told else []
    lines = [*_totals(report), *promise, *_tables(report, width, headings), *warned(report)]
    if not told:
        return lines
    at = f"{report.totals['serve_min']:.2f}"
    return [
        *lines,
        "",
        f"  next:  set serve_min: {at} under cache: semantic: in the policy   costctl simulate --policy FILE",
    ]


def _exported(report: Report, width: int) -> list[str]:
    follows = [] if report.provenance.get("is_check") else ["", "  next:  costctl export-config --check"]
    return [*exported(report), *warned(report), *follows]


def _checked(report: Report, _: int) -> list[str]:
    return [*checked(report), *warned(report)]


def _formats(report: Report, width: int) -> list[str]:
    return known(report, width)


def _rejects(report: Report, width: int) -> list[str]:
    """The refused records; a folder or file that all share is named once, above them."""
    found = report.tables["rejected"]
    rows = list(found.dicts())
    lines = [f"  rejected count: {len(rows):,}"]
    if not rows:
        return [*lines, *warned(report)]
    names = {str(row["source_file"]) for row in rows}
    shared = (
        names.pop() if len(names) == 1 else commonpath(names) if len({name[:1] == "/" for name in names}) == 1 else ""
    )
    columns = [name for name in ("reason", "source_line", "byte_offset") if any(row[name] is not None for row in rows)]
    if names:
        rows = [{**row, "source_file": str(row["source_file"])[len(shared) :].lstrip("/")} for row in rows]
        columns.insert(0, "source_file")
    short = Table.of("rejected", columns, [[row[name] for name in columns] for row in rows])
    heading = f"REJECTED RECORDS{f' of {safe(shared, 400)}' if shared else ''}"
    section = Section("rejected", heading, tuple(columns), 10_000, wrap_from=24)
    return [*lines, *section_lines({"rejected": short}, section, width), *warned(report)]


def _reconciliation(report: Report, width: int) -> list[str]:
    return [*reconciled(report, width), *section_lines(report.tables, RECONCILED, width), *warned(report)]
