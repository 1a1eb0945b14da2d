"""Requests from before the first day of which the price set knows a price: priced, and perhaps at a later rate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta

from costctl.prices.book import OWN_RATES, PriceBook, instant_utc
from costctl.prices.models import undated
from costctl.report import Warning, counted
from costctl.store import Store

NAMED_MAX = 5
# Prices without a first day are those that held when the price set was begun; of the year before they are mostly true.
DAYS_BEFORE_PRICES = 366
_DAYS = """
SELECT price_key, CAST(coalesce($as_of::TIMESTAMP, started_at, $priced_at::TIMESTAMP) AS DATE) AS day, count(*)
FROM bill WHERE list_cost_usd IS NOT NULL AND price_key IS NOT NULL
    AND coalesce($as_of::TIMESTAMP, started_at, $priced_at::TIMESTAMP) < $before
GROUP BY ALL ORDER BY ALL
"""


def old_prices(store: Store, book: PriceBook, days: Mapping[str, str]) -> list[Warning]:
    """A warning with the models and requests whose price the set does not date, and which are a year older than it.

    A day that the user named (`days`, as in `LogRead`) counts as old where it lies before that of the price set at all,
    as in `costctl estimate --at`.
    """
    today = instant_utc(book.dated)
    before = today if days else today - timedelta(days=DAYS_BEFORE_PRICES)
    given = {"as_of": days.get("prices_as_of"), "priced_at": days.get("priced_at"), "before": before}
    found: Counter[str] = Counter()
    first: date | None = None
    for key, day, count in store.query(_DAYS, given):
        if is_begin_unknown(book, str(key), instant_utc(day)):
            found[str(key)] += count
            first = day if first is None else min(first, day)
    if first is None:
        return []
    names = ", ".join(sorted(found)[:NAMED_MAX])
    more = f" and {len(found) - NAMED_MAX:,} more" if len(found) > NAMED_MAX else ""
    of = counted(found.total(), "request is", "requests are")
    text = (
        f"{of} priced as of {first:%Y-%m-%d} or later at the first price that the price set knows, which does not say"
        f" since when it holds: {names}{more}; the model may have had another price or none"
    )
    return [undated(text)]


def is_begin_unknown(book: PriceBook, key: str, when: datetime) -> bool:
    """Whether the standard price of a model at an instant (UTC) is one of the list without a first day."""
    rate = book.rate_at(key, when)
    return rate is not None and rate.from_at is None and rate.source != OWN_RATES
