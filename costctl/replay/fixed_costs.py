"""Costs that no request causes, charged for the span of the log, and how soon one-off costs are paid back.

A month has 30.4375 days, a twelfth of 365.25: a log of offsets has no calendar.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from costctl.policy.results import FixedCost
from costctl.policy.stages import SelfHosted
from costctl.replay.again import Found
from costctl.replay.calls import Calls, span_us
from costctl.replay.project import usd
from costctl.report import Table, Value

MONTH_US = 2_629_800 * 10**6
DAY_US = 86_400 * 10**6
PUSD_PER_USD = 10**12
BOUNDS = {"": "", "_low": "_high", "_high": "_low"}  # the larger the net saving, the sooner it pays back


def charged_pusd(usd_per_month: Decimal, span: int) -> int:
    """What a monthly cost comes to in the span, whole picodollars, halves up."""
    exact = Fraction(usd_per_month) * PUSD_PER_USD * span / MONTH_US
    return int(exact + Fraction(1, 2))


def tell_fixed_costs(
    costs: Sequence[FixedCost], engines: Sequence[SelfHosted], calls: Calls, totals: Mapping[str, Value], standing: str
) -> Found:  # fmt: skip
    """Fixed cost, net saving and days until one-off costs are paid back; nothing without fixed or one-off costs.

    What it took to set up engines of one's own is paid back too; their hours are in the policy's cost already.
    `totals` are those of the main replay, `standing` the status of its saving.
    """
    found = Found()
    set_up = [one for one in engines if one.one_off_usd]
    if not costs and not set_up:
        return found
    span = span_us(calls)
    if not span:
        reason = "not identifiable: all calls of the log have one time, so it has no span to charge for"
        found.missing |= dict.fromkeys(("fixed_cost_usd", "net_saving_usd", "payback_days"), reason)
        return found
    charges = [charged_pusd(one.usd_per_month, span) for one in costs]
    fixed = usd(sum(charges))
    one_off = sum([*(one.one_off_usd for one in costs), *(one.one_off_usd for one in set_up)], Decimal(0))
    rows: list[tuple[Value, ...]] = [
        (one.name, one.usd_per_month, usd(charge), one.one_off_usd) for one, charge in zip(costs, charges, strict=True)
    ]
    rows += [(one.name, None, None, one.one_off_usd) for one in set_up]
    columns = ("name", "per_month_usd", "fixed_cost_usd", "one_off_usd")
    found.tables.append(Table.of("fixed_costs", columns, rows))
    found.tell("fixed_cost_usd", fixed, "exact")
    for end in BOUNDS:
        saving = totals.get(f"saving_usd{end}")
        if isinstance(saving, Decimal):
            found.tell(f"net_saving_usd{end}", saving - fixed, standing)
    if one_off:
        found.tell("one_off_cost_usd", one_off.quantize(usd(0)), "exact")
        _tell_payback(found, one_off, span, standing)
    return found


def _tell_payback(found: Found, one_off: Decimal, span: int, standing: str) -> None:
    """Days of the net saving that make up for the one-off costs; the worse bound may be never."""
    net = found.totals["net_saving_usd"]
    if not isinstance(net, Decimal) or net <= 0:
        found.missing["payback_days"] = "never: what is saved is not above the fixed costs"
        return
    for end, source in BOUNDS.items():
        net = found.totals.get(f"net_saving_usd{source}")
        if isinstance(net, Decimal) and net > 0:
            days = Fraction(one_off) * span / (Fraction(net) * DAY_US)
            found.tell(f"payback_days{end}", Decimal(int(days * 10 + Fraction(1, 2))) / 10, standing)
        elif net is not None:
            found.tell(f"payback_days{end}", None, standing)
