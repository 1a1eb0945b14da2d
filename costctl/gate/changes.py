"""What changed between two runs of one log, as figures that a gate may bound.

Of a figure `x`, `x_delta` is now - base, and `x_growth_ratio` is that over the absolute base. Of an estimate the ends
lie as far apart as the ends of both runs allow, as nothing says that both err in the same direction; a figure that is
equal with both of its ends did not change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any, NamedTuple

from costctl.policy.figures import METRICS
from costctl.replay.compare import Earlier, change_of, is_end
from costctl.report import Report, Value

DELTA, GROWTH = "_delta", "_growth_ratio"
CHANGES = tuple(f"{name}{change}" for name in METRICS for change in (DELTA, GROWTH))
# From the surest standing of a figure to the least sure; a change is as sure as the less sure of its two.
_STANDINGS = ("exact", "replayed", "replayed under assumption", "bounded", "estimated")


class Change(NamedTuple):
    """A figure of two runs; the ends are None where nothing is known of that side, all are where a run lacks it."""

    metric: str
    base: Value
    now: Value
    change: Value
    low: Value
    high: Value
    status: str

    @property
    def is_beyond_doubt(self) -> bool:
        """Whether it changed by more than its interval."""
        ends = (self.low, self.high)
        if self.change is None or any(end is None for end in ends):
            return False
        low, high = (Decimal(str(end)) for end in ends)
        return low > 0 or high < 0


def changes(report: Report, earlier: Earlier) -> Iterator[Change]:
    """Every figure of either run, in the order of this one and then of the earlier one."""
    base = earlier.report()
    names = [*report.totals, *(name for name in base.totals if name not in report.totals)]
    for name in names:
        if is_end(name):
            continue
        then, now, change = change_of(base.totals.get(name), report.totals.get(name))
        if change is None:
            yield Change(name, then, now, None, None, None, "not computed")
            continue
        low, high = _ends(base, report, name, change)
        yield Change(name, then, now, change, low, high, _less_sure(base, report, name))


def with_changes(report: Report, earlier: Earlier) -> Report:
    """The report with `x_delta` and `x_growth_ratio` of every figure that both runs have."""
    totals, made = dict(report.totals), dict(report.provenance)
    status: dict[str, str] = dict(_told(report, "status"))
    missing = {f"{name}{end}": _lacking(report, earlier, name) for name in METRICS for end in (DELTA, GROWTH)}
    for one in changes(report, earlier):
        if one.change is None:
            continue
        base = abs(Decimal(str(one.base)))
        for end, scale in ((DELTA, None), (GROWTH, base)):
            name = f"{one.metric}{end}"
            if scale == 0:
                missing[name] = "the base is 0"
                continue
            missing.pop(name, None)
            status[name] = one.status
            has_ends = one.status == "estimated" or (one.low, one.high) != (one.change, one.change)
            found = {name: one.change} | ({f"{name}_low": one.low, f"{name}_high": one.high} if has_ends else {})
            totals |= {key: value if scale is None else _over(value, scale) for key, value in found.items()}
    return replace(
        report,
        totals=totals,
        provenance={**made, "status": status, "not_computed": {**missing, **_told(report, "not_computed")}},
    )


def _ends(base: Report, report: Report, name: str, change: Value) -> tuple[Value, Value]:
    """The least and the greatest change that the ends of both runs allow."""
    then, now = (
        [run.totals.get(f"{name}{end}", _alone(run, name)) for end in ("_low", "_high")] for run in (base, report)
    )
    if then == now and base.totals[name] == report.totals[name]:
        return change, change
    return change_of(then[1], now[0])[2], change_of(then[0], now[1])[2]


def _alone(run: Report, name: str) -> Value:
    """A figure without ends is its own; one of which one end alone is told has no other."""
    return None if f"{name}_low" in run.totals or f"{name}_high" in run.totals else run.totals[name]


def _less_sure(base: Report, report: Report, name: str) -> str:
    standings = [str(_told(run, "status")[name]) for run in (base, report)]
    return max(standings, key=lambda one: _STANDINGS.index(one) if one in _STANDINGS else len(_STANDINGS))


def _lacking(report: Report, earlier: Earlier, name: str) -> str:
    """Why there is no change of a figure, where there is none."""
    if name in report.totals:
        return f"{earlier.file} does not have it"
    return str(_told(report, "not_computed").get(name, "not computed for this log"))


def _over(value: Value, scale: Decimal) -> Value:
    return None if value is None else float(Decimal(str(value)) / scale)


def _told(run: Report, name: str) -> dict[str, Any]:
    told: Any = run.provenance[name]
    return dict(told)
