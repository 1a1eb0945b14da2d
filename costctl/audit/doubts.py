"""What a log says and may well not mean: days on which nobody can have asked, outcomes of which no word is known."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

from costctl.prices.book import instant_utc
from costctl.report import Warning, counted
from costctl.store import Store

FIRST_DAY = date(2020, 1, 1)  # no model of the price set was sold before
DAYS_AFTER_PRICES = 366


def doubts(store: Store, priced_on: date) -> list[Warning]:
    """A warning for each kind, with the count of the requests and the place of the first.

    `priced_on` is the day of the price set; no clock of this machine is asked, so that a report stays the same.
    """
    return [*_dates(store, priced_on), *_outcomes(store)]


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
