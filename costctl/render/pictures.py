"""Which table has a picture, and what of it the picture shows; for the terminal and for Markdown alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from string import ascii_lowercase
from typing import Any

from costctl.render.cells import cell, safe
from costctl.render.plot import Axis, Bar, Scales, Series, bars, legend, plane, round_end
from costctl.report import Report, counted

WIDTH_MAX = 80
SINGLES_MAX = 8
NAME_MAX = 60
ROUTERS = {"learned": "L", "length alone": "n", "oracle": "o", "random": "·"}
REFERENCES = {"policy": "P", "oracle": "O", "best_single_model": "B", "random_at_equal_cost": "R"}
Row = dict[str, Any]


def picture(report: Report, table: str, width: int) -> list[str]:
    """The heading and the lines of the picture of a table; empty where it has none or too little to show."""
    drawn = PICTURES.get(table)
    if drawn is None or table not in report.tables:
        return []
    heading, draw = drawn
    lines = draw(report, list(report.tables[table].dicts()), min(width, WIDTH_MAX))
    return [heading.format(per=_per(report).upper()), *lines] if lines else []


def _per(report: Report) -> str:
    """Of what the bound of `calibrate` is a share: hit or request."""
    return str(report.provenance.get("per", "hit"))


def _thresholds(report: Report, rows: list[Row], width: int) -> list[str]:
    """The semantic cache at each threshold: hits of all calls, wrong answers per hit with their interval."""
    if not any(row["semantic_hit_count"] for row in rows):
        return []
    is_known = any(row["wrong_per_hit_ratio_high"] is not None for row in rows)
    most = round_end(max(row["wrong_per_hit_ratio_high"] or 0.0 for row in rows))
    what = f"wrong per hit, 0 to {cell(most, 'ratio')}" if is_known else "wrong per hit: not known"
    scales = Scales("hits of all calls", round_end(max(row["semantic_hit_ratio"] for row in rows)), what, most)
    return bars([_threshold(row) for row in rows], scales, width)


def _threshold(row: Row) -> Bar:
    low, middle, high = (row[f"wrong_per_hit_ratio{end}"] for end in ("_low", "", "_high"))
    told = "?" if row["semantic_hit_count"] else "no hit"
    if middle is not None:
        told = cell(middle, "ratio")
    elif high is not None:
        told = f"≤ {cell(high, 'ratio')}"
    share = row["semantic_hit_ratio"]
    return Bar(str(row["serve_min"]), bool(row["is_policy"]), share, cell(share, "ratio"), low, middle, high, told)


def _window(report: Report, rows: list[Row], width: int) -> list[str]:
    """What `calibrate` saw: hits of the window; wrong ones in the unit of the bound, and it where it was tested."""
    judged = [row for row in rows if row["judged_count"]]
    if not judged:
        return []
    asked = report.totals["wrong_max_ratio"]
    assert isinstance(asked, float)
    wrong = "wrong_per_request_ratio" if _per(report) == "request" else "wrong_ratio"
    end = round_end(max(asked, *(row["wrong_upper_ratio"] or row[wrong] for row in judged)))
    said = f"wrong ● bound ┤ asked ┊ to {cell(end, 'ratio')}"
    most = round_end(max(row["hit_count"] for row in rows))
    chosen = report.totals.get("serve_min")
    made = [_window_bar(row, wrong, chosen is not None and f"{chosen:.2f}" == row["serve_min"]) for row in rows]
    return bars(made, Scales("hits in the window", most, said, end, asked), width)


def _window_bar(row: Row, of: str, is_chosen: bool) -> Bar:
    wrong, upper = row[of], row["wrong_upper_ratio"]
    told = "" if wrong is None else cell(wrong, "ratio")
    hits = cell(row["hit_count"], "hit_count")
    return Bar(str(row["serve_min"]), is_chosen, row["hit_count"], hits, wrong, wrong, upper, told)


def _references(report: Report, rows: list[Row], width: int) -> list[str]:
    """Cost and mean score of the policy beside the best single model, chance, the oracle and each model alone.

    Only means of the same calls can be compared by eye, so those of fewer calls than the policy's stay in the table.
    """
    count = next((row["scored_count"] for row in rows if row["reference"] == "policy"), None)
    alike = [row for row in rows if row["scored_count"] == count]
    scored = [row for row in alike if row["mean_score"] is not None and row["cost_usd"] is not None]
    if len(scored) < 2:
        return []
    alone = iter(ascii_lowercase)
    by_name = {str(row["reference"]): row for row in scored}
    named = [(mark, by_name[name]) for name, mark in REFERENCES.items() if name in by_name]
    singles = [row for name, row in by_name.items() if name not in REFERENCES][:SINGLES_MAX]
    shown = [*named, *((next(alone), row) for row in singles)]
    series = [Series(mark, _legend_of(row), [(_place(row["cost_usd"]), row["mean_score"])]) for mark, row in shown]
    costs, scores = [one.points[0][0] for one in series], [one.points[0][1] for one in series]
    x = Axis("cost", 0.0, round_end(max(costs)), lambda value: cell(Decimal(f"{value:.6f}"), "cost_usd"))
    lines = plane(series, x, _score_axis("mean score", min(scores), max(scores)), width)
    return [*lines, *legend(series)]


def _place(amount: Decimal) -> float:
    """Where an amount stands on a scale of characters; what is written beside it stays exact."""
    return float(amount)


def _legend_of(row: Row) -> str:
    name = safe(str(row["reference"]).replace("_", " "), NAME_MAX)
    what = f" ({safe(str(row['what']), NAME_MAX)})" if row["reference"] == "best_single_model" else ""
    cost = cell(row["cost_usd"], "cost_usd")
    return f"{name}{what}: {cost}, {row['mean_score']:.3f} of {counted(int(str(row['scored_count'])), 'score')}"


def _curve(report: Report, rows: list[Row], width: int) -> list[str]:
    """Mean score by the share of requests that go to the dearer model, for each way to choose them."""
    series = []
    for name, mark in ROUTERS.items():
        points = [(row["dear_ratio"], row["mean_score"]) for row in rows if row["router"] == name]
        if points:
            series.append(Series(mark, name, points, is_line=True))
    if not series:
        return []
    first, *_, last = series[0].points
    ends = [Series("C", "the cheaper model alone", [first]), Series("D", "the dearer model alone", [last])]
    scores = [score for one in series for _, score in one.points]
    if min(scores) == max(scores):
        return []
    x = Axis("share of requests that go to the dearer model", 0.0, 1.0, lambda value: cell(value, "ratio"))
    series = [*ends, *series]
    y = _score_axis(f"mean score, {rows[0]['split']}", min(scores), max(scores))
    return [*plane(series, x, y, width), *legend(series)]


def _score_axis(name: str, low: float, high: float) -> Axis:
    """A scale from 0 to 1 at most, with a little room around the scores."""
    room = max((high - low) * 0.08, 0.01)
    return Axis(name, max(low - room, 0.0), min(high + room, 1.0), lambda value: f"{value:.3f}")


PICTURES: Mapping[str, tuple[str, Callable[[Report, list[Row], int], list[str]]]] = {
    "semantic_curve": ("HITS AND WRONG ANSWERS BY THRESHOLD (▸ the policy's)", _thresholds),
    "thresholds": ("HITS ON OTHER PROMPTS AND WRONG PER {per} BY THRESHOLD (▸ the proposed one)", _window),
    "references": ("COST AGAINST QUALITY: where marks meet, the one listed first is seen", _references),
    "curve": ("COST AGAINST QUALITY: where marks meet, the one listed first is seen", _curve),
}
