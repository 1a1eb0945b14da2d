"""`costctl prices show`: what a model name means to the price book, and every rate it leads to."""

from __future__ import annotations

from collections.abc import Sequence

from costctl.prices.book import PriceBook
from costctl.prices.rates import FEE_UNITS, MINUTES_OF_A_DAY, TOKEN_UNITS, Rate
from costctl.report import Report, Table, Value, Warning

MODEL_COLUMNS = ("model", "price_key", "price_how", "price_reason", "context_tokens", "rate_count", "near")
RATE_COLUMNS = (
    "price_key", "service_tier", "from_at", "to_at", "hours_utc", "weekdays", "input_over_tokens", "input_upto_tokens",
    *(f"{unit}_usd_per_million" for unit in TOKEN_UNITS),
    *(f"{unit.removesuffix('_1k')}_usd_per_1k" for unit in FEE_UNITS),
    "price_source",
)  # fmt: skip
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def show(names: Sequence[str], book: PriceBook) -> Report:
    """How each name resolves, with the reason, and all rates of what it resolves to.

    A name may be `provider/id` or anything a log says. Prices are USD per million tokens, fees
    USD per 1,000; `near` has similar names where nothing was found.
    """
    models: list[tuple[Value, ...]] = []
    rates: list[tuple[Value, ...]] = []
    warnings: list[Warning] = []
    for name in dict.fromkeys(names):
        found = book.resolve(name)
        key = found.model_key
        own = book.rates([key]) if key else []
        near = [] if key else book.near(name)
        window = book.info(key).context_window_tokens if key else None
        models.append((name, key, found.how, found.reason, window, len(own), ", ".join(near)))
        rates += [_rate(rate) for rate in own]
        if key is None:
            hint = f"near: {', '.join(near)}" if near else "give one: --prices rates.yaml"
            warnings.append(Warning("W201", f"{name}: {found.reason}", hint))
    unpriced = sum(row[1] is None for row in models)
    return Report(
        command="prices show",
        totals={"model_count": len(models), "unpriced_count": unpriced, "rate_count": len(rates)},
        tables={
            "models": Table.of("models", MODEL_COLUMNS, models),
            "rates": Table.of("rates", RATE_COLUMNS, dict.fromkeys(rates)),
        },
        warnings=tuple(warnings),
        provenance={"price_set": f"{book.dated.isoformat()} #{book.digest[:8]}"},
    )


def _rate(rate: Rate) -> tuple[Value, ...]:
    hours = "" if (rate.minute_from, rate.minute_to) == (0, MINUTES_OF_A_DAY) else hours_text(rate)
    return (
        rate.model_key, rate.service_tier, rate.from_at, rate.to_at, hours,
        " ".join(DAYS[day - 1] for day in rate.weekdays), rate.input_over_tokens or None, rate.input_upto_tokens,
        *(rate.prices[unit] for unit in TOKEN_UNITS), *(rate.prices.get(unit) for unit in FEE_UNITS), rate.source,
    )  # fmt: skip


def hours_text(rate: Rate) -> str:
    """The stretch of the day in UTC, such as 01:00-04:00."""
    first, last = (f"{minute // 60:02}:{minute % 60:02}" for minute in (rate.minute_from, rate.minute_to))
    return f"{first}-{last}"
