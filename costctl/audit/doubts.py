"""What a log says and may well not mean: impossible days, outcomes of unknown words, costs in another unit."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

from costctl.audit import pages
from costctl.prices.book import PriceBook, instant_utc
from costctl.report import Warning, counted
from costctl.store import Store

FIRST_DAY = date(2020, 1, 1)  # no model of the price set was sold before
DAYS_AFTER_PRICES = 366
NEARLY_ALL = 0.9  # of the requests with both costs
IN_CENTS = {"portkey": "Portkey"}  # formats that document their costs in cents; files in dollars are met as well


def doubts(store: Store, book: PriceBook) -> list[Warning]:
    """A warning for each kind, with the count of the requests and the place of the first.

    Dates are held against the day of the price set: no clock is asked, so that a report stays the same.
    """
    return [*_dates(store, book.dated), *_outcomes(store), *_units(store, book.called)]


def _dates(store: Store, priced_on: date) -> list[Warning]:
    first, last = instant_utc(FIRST_DAY), instant_utc(priced_on) + timedelta(days=DAYS_AFTER_PRICES)
    count, place, when = _where(store, "started_at < $first OR started_at >= $last", {"first": first, "last": last})
    if not count:
        return []
    text = (
        f"{counted(count, 'request is', 'requests are')} dated before {FIRST_DAY:%Y} or more than a year after the "
        f"price set ({priced_on.isoformat()}), the first at {place}: {when:%Y-%m-%d}; the period, days and rate "
        "for 30 days rest on that"
    )
    return [Warning("W132", text, "if another column holds the time: --map started_at=...")]


def _outcomes(store: Store) -> list[Warning]:
    count, place, _ = _where(store, "status = 'unknown'", {})
    if not count:
        return []
    text = (
        f"{counted(count, 'request has', 'requests have')} a status that means neither success nor failure here, the "
        f"first at {place}: billed, and counted neither as answered nor as failed"
    )
    return [Warning("W133", text, "if another column tells it: --map status=...; if none does: --map status=none")]


def _units(store: Store, ours: str) -> list[Warning]:
    """Logged costs that are a hundred times what our prices say, or a hundredth, on nearly all requests of a format."""
    said = []
    for name, count, cents_count, hundredth_count in store.query(pages.page("cost_units.sql")):
        of = f"{counted(count, 'request')} of {name} with both"
        if cents_count >= count * NEARLY_ALL:
            text = f"the logged cost is about 100 times {ours} in {cents_count:,} of {of}: it seems to be in cents"
            said.append(Warning("W151", f"{text}, and is shown as dollars", "our own costs do not rest on it"))
        elif name in IN_CENTS and hundredth_count >= count * NEARLY_ALL:
            text = (
                f"the logged cost is about a hundredth of {ours} in {hundredth_count:,} of {of}: it is read as cents, "
                f"as {IN_CENTS[name]} documents, and seems to be in dollars"
            )
            said.append(Warning("W151", text, "our own costs do not rest on it"))
    return said


def _where(store: Store, condition: str, params: dict[str, datetime]) -> tuple[int, str, datetime | None]:
    """How many requests are so, and file, line and time of the first."""
    count = int(store.scalar(f"SELECT count(*) FROM request WHERE {condition}", params))
    if not count:
        return 0, "", None
    label, line, when = store.query(
        "SELECT s.label, r.source_line, r.started_at FROM request r JOIN source_file s USING (file_id) "
        f"WHERE {condition} ORDER BY s.label, r.source_line LIMIT 1",
        params,
    )[0]
    return count, f"{Path(label).name}:{line}", when
