"""A table as text for a terminal of any width."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import zip_longest

from costctl.render.cells import FIGURE_COLUMNS, cell, of_one_request, safe, unit_name
from costctl.render.wrap import pieces
from costctl.report import Table, Value, unit_of

TEXT_COLUMN_MIN = 12
NAMED_MAX = 6
_UNIT_BEFORE_BOUND = re.compile(r"_(usd|ratio)(?=_(low|high)$)")
# Tables whose left-out columns stand in the other outputs anyway and would only make noise here.
QUIET = frozenset({"by_model", "anatomy"})


def blocks(table: Table, columns: Sequence[str]) -> list[str]:
    """One row after the other, each value on a line of its own; empty ones are left out."""
    size = max(len(title(name)) for name in columns)
    lines: list[str] = []
    for row in table.dicts():
        filled = [name for name in columns if row[name] is not None and row[name] != ""]
        lines += [
            f"  {title(name):<{size}}  {cell(row[name], of_one_request(table.name, unit_name(row, name)))}"
            for name in filled
        ] + [""]
    return lines[:-1]


def fits(table: Table, columns: Sequence[str], width: int) -> bool:
    """Whether a table fits with nothing shortened and no column left out."""
    rows = [[cell(row[name], unit_name(row, name)) for name in columns] for row in table.dicts()]
    widths = [max([len(head), *(len(row[i]) for row in rows)]) for i, head in enumerate(titles(columns))]
    return not _too_wide(widths, width)


def grid(
    table: Table, columns: Sequence[str], width: int, limit: int, heads_by_name: Mapping[str, str] | None = None, *,
    wrap_from: int = 0,
) -> list[str]:  # fmt: skip
    """Right-aligned numbers under their names; text gives way first, then the last columns, which are named.

    With `wrap_from` text goes on in the next line instead, and the first column keeps so many characters.
    """
    rows = list(table.dicts())
    shown = [
        [cell(row[name], of_one_request(table.name, unit_name(row, name))) for name in columns] for row in rows[:limit]
    ]
    heads = [(heads_by_name or {}).get(name, head) for name, head in zip(columns, titles(columns), strict=True)]
    widths = [max([len(head), *(len(row[i]) for row in shown)]) for i, head in enumerate(heads)]
    names = list(columns)
    left_out: list[str] = []
    while len(names) > 2 and (
        not _fits_by_cutting(widths, names, width)
        or (wrap_from and _cut(widths, names, width)[0] < min(widths[0], wrap_from))
        or (not wrap_from and _blurs(shown, _cut(widths, names, width)[0]))
    ):
        left_out.insert(0, names.pop())
        if len(names) > 2 and names[-1] == f"{left_out[0].removesuffix('_high')}_low":
            left_out.insert(0, names.pop())  # one end of an interval alone misleads
        widths = widths[: len(names)]
    widths = _cut(widths, names, width)
    lines = []
    kinds = ["_count" if _counts(rows[:limit], at, name) else name for at, name in enumerate(names)]
    for row in [heads, *shown]:
        cells = zip(row, widths, kinds, strict=False)
        if wrap_from:
            lines += _over_lines(list(cells))
            continue
        lines.append("  " + "  ".join(_aligned(safe(text, size), size, name) for text, size, name in cells).rstrip())
    if len(rows) > limit:
        lines.append(f"  and {len(rows) - limit:,} more: --output json")
    if left_out and table.name not in QUIET:
        named = ", ".join(left_out[:NAMED_MAX])
        more = f" and {len(left_out) - NAMED_MAX} more" if len(left_out) > NAMED_MAX else ""
        lines.append(f"  left out here: {named}{more} (a wider terminal, or --output json)")
    return lines


def _over_lines(cells: Sequence[tuple[str, int, str]]) -> list[str]:
    """A row whose texts go on below where they are wider than their column."""
    parts = [pieces(text, size, "" if at else "  ") for at, (text, size, _) in enumerate(cells)]
    rows = zip_longest(*parts, fillvalue="")
    return [
        "  " + "  ".join(_aligned(text, size, name) for text, (_, size, name) in zip(row, cells, strict=True)).rstrip()
        for row in rows
    ]


def _blurs(shown: Sequence[Sequence[str]], size: int) -> bool:
    """Whether two rows of different names would have the same one, if names were cut to this size."""
    names = {row[0] for row in shown}
    return len({safe(name, size) for name in names}) < len(names)


def _counts(rows: Sequence[Mapping[str, Value]], position: int, name: str) -> bool:
    """Whether a column without a unit in its name holds nothing but numbers, as that of a SELECT may."""
    values = [row[name] for row in rows if row[name] is not None]
    return bool(position and values) and all(
        isinstance(value, int | float | Decimal) and not isinstance(value, bool) for value in values
    )


def _too_wide(widths: Sequence[int], width: int) -> bool:
    return 2 + sum(widths) + 2 * (len(widths) - 1) > width


def _is_text(position: int, name: str) -> bool:
    return position == 0 or (unit_of(name) == "text" and name not in FIGURE_COLUMNS)


def _cut(widths: Sequence[int], names: Sequence[str], width: int) -> list[int]:
    """Widths with the widest texts shortened until all fits; numbers keep theirs."""
    cut = list(widths)
    while _too_wide(cut, width):
        texts = [i for i, name in enumerate(names) if _is_text(i, name) and cut[i] > TEXT_COLUMN_MIN]
        if not texts:
            break
        others = [i for i in texts if i] or texts  # what names the row gives way last
        cut[max(others, key=lambda i: (cut[i], i))] -= 1
    return cut


def _fits_by_cutting(widths: Sequence[int], names: Sequence[str], width: int) -> bool:
    return not _too_wide(_cut(widths, names, width), width)


def title(column: str) -> str:
    """The heading of a column, without the unit that its values show."""
    if column == "request_count":
        return "requests"
    column = column.replace("_usd_per_million", " $/M")
    column = _UNIT_BEFORE_BOUND.sub("", column)
    for suffix in ("_count", "_usd", "_ratio", "_tokens", "_ms"):
        column = column.removesuffix(suffix)
    return column.replace("latency_ms_", "").replace("_", " ")


def titles(columns: Sequence[str]) -> list[str]:
    """The headings of columns that stand side by side; of two that would read alike the share says that it is one.

    >>> titles(["saving_usd", "saving_ratio", "hit_ratio"])
    ['saving', 'saving share', 'hit']
    """
    heads = [title(name) for name in columns]
    return [
        f"{head} share" if heads.count(head) > 1 and unit_of(name) == "ratio" else head
        for head, name in zip(heads, columns, strict=True)
    ]


def _aligned(text: str, size: int, column: str) -> str:
    is_text = unit_of(column) == "text" and column not in FIGURE_COLUMNS
    return f"{text:<{size}}" if is_text else f"{text:>{size}}"
