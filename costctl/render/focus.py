"""The charges of an audit as CSV in the columns of FOCUS 1.2, for tools that gather bills.

All 21 mandatory columns of that version and those of the conditional ones that a log can tell. A log holds no invoice:
every cost is the list cost, with the user's own rates where they are given.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from costctl.money import usd_text
from costctl.render.cells import defused
from costctl.report import Report, Value, Warning, counted

CLASSES = {
    "input_uncached": "input tokens", "cache_read": "cached input tokens", "cache_write": "cache writes",
    "output": "output tokens", "fees": "fees by the request",
}  # fmt: skip
UNIT, UNIT_OF_FEES = "Tokens", "Requests"


def to_focus(report: Report) -> str:
    """One line for each day, seller, model and class of token; the costs sum to the total of the audit."""
    rows = [_row(row) for row in report.tables["charges"].dicts()]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_row(dict.fromkeys(report.tables["charges"].columns)))
    writer.writerows([defused(value) for value in row.values()] for row in rows)
    return out.getvalue()


def with_undated(report: Report) -> Report:
    """The report with a warning where charges have no date: FOCUS lets no period be empty."""
    count = sum(not isinstance(row["day_at"], datetime) for row in report.tables["charges"].dicts())
    if not count:
        return report
    text = f"{counted(count, 'charge has', 'charges have')} no date, and FOCUS allows no empty period: "
    hint = "read the times of the log, --map started_at=COLUMN; or leave these rows out of what is loaded"
    return replace(report, warnings=(*report.warnings, Warning("W316", f"{text}a loader may refuse the file", hint)))


def _row(row: Mapping[str, Value]) -> dict[str, str | None]:
    day, seller, model, kind = row["day_at"], row["provider"], row["price_key"], str(row["token_class"])
    cost = usd_text(Decimal(str(row["list_cost_usd"] or 0)))
    quantity, unit = str(row["quantity_count"]), UNIT_OF_FEES if kind == "fees" else UNIT
    start, end, first, last = _periods(day)
    name = None if seller is None else str(seller)
    return {
        "BilledCost": cost,
        "BillingAccountId": "unknown",  # may not be empty, and a log does not tell it
        "BillingAccountName": None,
        "BillingCurrency": "USD",
        "BillingPeriodEnd": last,
        "BillingPeriodStart": first,
        "ChargeCategory": "Usage",
        "ChargeClass": None,
        "ChargeDescription": f"{model}: {CLASSES.get(kind, kind)}",
        "ChargePeriodEnd": end,
        "ChargePeriodStart": start,
        "ConsumedQuantity": quantity,
        "ConsumedUnit": unit,
        "ContractedCost": cost,
        "EffectiveCost": cost,
        "InvoiceIssuerName": name,
        "ListCost": cost,
        "PricingQuantity": quantity,
        "PricingUnit": unit,
        "ProviderName": name,
        "PublisherName": name,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": name and f"{name} API",
        "ServiceSubcategory": "Generative AI",
        "SkuId": f"{model}/{kind}",
        "x_Model": str(model),
        "x_TokenClass": kind,
    }


def _periods(day: Value) -> tuple[str | None, str | None, str | None, str | None]:
    """The day and its month, each from its start to the start of the next; nothing where the log has no date."""
    if not isinstance(day, datetime):
        return None, None, None, None
    first = day.replace(day=1)
    after = (first + timedelta(days=31)).replace(day=1)
    return _text(day), _text(day + timedelta(days=1)), _text(first), _text(after)


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
