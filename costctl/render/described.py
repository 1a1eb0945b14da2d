"""The screen of `costctl policy check`: what each part of a policy does, a line or two for each."""

from __future__ import annotations

import textwrap

from costctl.render.cells import safe
from costctl.report import Report, counted

KIND_WIDTH = 14
NAME_MAX, WHAT_MAX = 80, 600


def described(report: Report, width: int) -> list[str]:
    """The rows in the order of the file, the kind where it begins."""
    total, before, lines = report.totals, "", []
    tiers, rules = counted(int(str(total["tier_count"])), "tier", "tiers"), int(str(total["rule_count"]))
    lines.append(f"policy {safe(str(total['policy']), 60)}: {tiers}, {counted(rules, 'rule', 'rules')}; no mistake")
    for row in report.tables["policy"].dicts():
        kind = str(row["kind"])
        lines += [""] if kind != before else []
        text = f"{safe(str(row['name']), NAME_MAX)}: {safe(str(row['what']), WHAT_MAX)}"
        first = f"  {kind if kind != before else '':<{KIND_WIDTH}}"
        rest = " " * (KIND_WIDTH + 4)
        lines += textwrap.wrap(
            text, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False, break_long_words=False
        )
        before = kind
    return lines
