"""Pictures of characters: bars with ranges, and marks on a plane. They place what they are given and compute nothing.

Every picture can be read without colour: each series has a letter of its own, and the scale stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import floor, log10
from typing import NamedTuple

EIGHTHS = " ▏▎▍▌▋▊▉"
STEPS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
PLANE_HEIGHT = 14
GAP = 3
Text = Callable[[float], str]


class Bar(NamedTuple):
    """One line: a bar, and beside it a value with its range; None where nothing is known."""

    name: str
    is_chosen: bool
    length: float
    said: str  # at the end of the bar
    low: float | None
    middle: float | None
    high: float | None
    told: str  # at the end of the range


class Scales(NamedTuple):
    """What the bars and the ranges measure; a full one is as long as `bar_end` and `range_end`."""

    bar: str
    bar_end: float
    range: str
    range_end: float
    limit: float | None = None  # a line through the ranges


class Series(NamedTuple):
    """Points in order; `is_line` joins them. The mark is one character, the name stands in the legend."""

    mark: str
    name: str
    points: Sequence[tuple[float, float]]
    is_line: bool = False


class Axis(NamedTuple):
    """From `low` to `high`, with its numbers written by `text`."""

    name: str
    low: float
    high: float
    text: Text


def round_end(value: float) -> float:
    """A round number that is at least this one, to end a scale.

    >>> round_end(0.37), round_end(1.0), round_end(0.0)
    (0.4, 1.0, 1.0)
    """
    if value <= 0:
        return 1.0
    unit = 10.0 ** floor(log10(value))
    return next((round(step * unit, 12) for step in STEPS if step * unit >= value * (1 - 1e-12)), 10 * unit)


def bars(rows: Sequence[Bar], scales: Scales, width: int) -> list[str]:
    """One line for each row: mark of the chosen one, name, bar, and the range of the other value."""
    name, said, told = (max(len(text) for text in texts) for texts in zip(*map(_texts, rows), strict=True))
    room = max((width - 4 - name - 1 - said - GAP - 2 - told) // 2, 4)
    heads = f"{'':{name + 5}}{scales.bar[: room + said + 1]:<{room + said + 1 + GAP}}{scales.range[: room + told + 1]}"
    lines = [heads.rstrip()]
    for row in rows:
        bar = _bar(row.length / scales.bar_end, room)
        spread = _range(row, scales, room)
        mark = "▸" if row.is_chosen else " "
        lines.append(f"  {mark} {row.name:>{name}} {bar} {row.said:>{said}}{'':{GAP}}{spread} {row.told}".rstrip())
    return lines


def _texts(row: Bar) -> tuple[str, str, str]:
    return row.name, row.said, row.told


def _bar(part: float, room: int) -> str:
    """A bar to an eighth of a character; what is above 0 is seen."""
    eighths = min(max(round(part * room * 8), 1 if part > 0 else 0), room * 8)
    return ("█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()).ljust(room)


def _range(row: Bar, scales: Scales, room: int) -> str:
    """A value with its range, on a scale of so many characters; the limit shows where nothing else is."""
    cells = [" "] * room

    def place(value: float) -> int:
        return min(max(round(value / scales.range_end * (room - 1)), 0), room - 1)

    if scales.limit is not None:
        cells[place(scales.limit)] = "┊"
    if row.low is not None and row.high is not None:
        low, high = place(row.low), place(row.high)
        cells[low : high + 1] = "─" * (high + 1 - low)
        cells[low], cells[high] = "├", "┤"
    if row.middle is not None:
        cells[place(row.middle)] = "●"
    return "".join(cells)


def plane(series: Sequence[Series], x: Axis, y: Axis, width: int, height: int = PLANE_HEIGHT) -> list[str]:
    """Marks on a plane with both scales; where two marks meet, that of the earlier series is seen."""
    ticks = {row: y.text(y.high - (y.high - y.low) * row / (height - 1)) for row in _ticks(height)}
    left = max(map(len, ticks.values()))
    across = max(width - left - 4, 10)
    cells = [[" "] * across for _ in range(height)]
    for one in reversed(series):
        for column, row in _places(one, x, y, across, height):
            cells[row][column] = one.mark
    lines = [f"  {y.name}"]
    for row in range(height):
        edge = "┤" if row in ticks else "│"
        lines.append(f"  {ticks.get(row, ''):>{left}}{edge}{''.join(cells[row])}".rstrip())
    lines.append(f"  {'':{left}}└{'─' * across}")
    ends = [x.text(x.low), x.text((x.low + x.high) / 2), x.text(x.high)]
    middle = f"{ends[1]:^{max(across - len(ends[0]) - len(ends[2]), 0)}}"
    return [*lines, f"  {'':{left + 1}}{ends[0]}{middle}{ends[2]}", f"{x.name:>{left + 3 + across}}"]


def legend(series: Iterable[Series]) -> list[str]:
    """What each mark stands for, one to a line."""
    return [f"  {one.mark}  {one.name}" for one in series]


def _ticks(height: int) -> tuple[int, ...]:
    return (0, (height - 1) // 2, height - 1)


def _places(one: Series, x: Axis, y: Axis, across: int, height: int) -> list[tuple[int, int]]:
    """Columns and rows of a series; a line has one for each column that it passes."""

    def column(value: float) -> int:
        return round((value - x.low) / (x.high - x.low) * (across - 1))

    def row(value: float) -> int:
        return round((y.high - value) / (y.high - y.low) * (height - 1))

    found = [(column(at), row(value)) for at, value in one.points]
    if one.is_line:
        for (first, start), (last, end) in zip(one.points, one.points[1:], strict=False):
            for at in range(column(first) + 1, column(last)):
                part = ((at / (across - 1)) * (x.high - x.low) + x.low - first) / (last - first)
                found.append((at, row(start + part * (end - start))))
    return [(at, on) for at, on in found if 0 <= at < across and 0 <= on < height]
