"""The two sides of a reconciliation as sums: the log by half hour and model, the invoice by day and model.

Each side is priced in up to six ways: at the user's rates and at list, with cached tokens at their own price and at
that of plain input, and all at the standard tier. Nothing is kept of the log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from operator import add, sub
from types import MappingProxyType
from typing import NamedTuple

from costctl.audit import pages
from costctl.audit.read import select_attempts
from costctl.formats.told import FileCounts
from costctl.prices.book import PriceBook
from costctl.prices.cost import OTHER_TIERS, apply_prices
from costctl.store import Store

ZERO = Decimal(0)
# As plain input what was read from a cache; writes stay what they are.
UNCACHED = (
    "SELECT * REPLACE (input_uncached_tokens + coalesce(cache_read_tokens, 0) AS input_uncached_tokens, "
    "CAST(0 AS BIGINT) AS cache_read_tokens) FROM {0}"
)
# All at the standard tier: beside its own price, what the tier of a call makes of it.
STANDARD = "SELECT * REPLACE (CAST(NULL AS VARCHAR) AS service_tier) FROM {0}"


# Sellers and regions of one model stand together: an invoice hardly names them as a log does.
MODEL_KEY = (
    "coalesce(regexp_extract(o.price_key, '([^/@]+)(@[^/]*)?$', 1), "
    "nullif(lower(regexp_extract(coalesce(o.response_model, o.request_model), '[^/]+$')), ''))"
)


class Usd(NamedTuple):
    """Dollars of the same tokens: own rates or list, cached tokens at their price or at that of input (`full`).

    `standard`: cached tokens at their own price, and every call at the standard tier.
    """

    own: Decimal = ZERO
    own_full: Decimal = ZERO
    list: Decimal = ZERO
    list_full: Decimal = ZERO
    own_standard: Decimal = ZERO
    list_standard: Decimal = ZERO

    def plus(self, other: Usd) -> Usd:
        """Both together."""
        return Usd(*map(add, self, other))

    def minus(self, other: Usd) -> Usd:
        """What is left of these without the others."""
        return Usd(*map(sub, self, other))

    def at(self, *, is_list: bool, is_full: bool) -> Decimal:
        """One of the four at the tiers that the rows name."""
        return self[2 * is_list + is_full]

    def at_standard(self, *, is_list: bool) -> Decimal:
        """All at the standard tier."""
        return self.list_standard if is_list else self.own_standard


class Tokens(NamedTuple):
    """Tokens of input (cached ones included), of it read from a cache, and of output."""

    input: int = 0
    read: int = 0
    output: int = 0

    def plus(self, other: Tokens) -> Tokens:
        """Both together."""
        return Tokens(*map(add, self, other))

    def minus(self, other: Tokens) -> Tokens:
        """What is left of these without the others."""
        return Tokens(*map(sub, self, other))


class LogSums(NamedTuple):
    """Calls of the log: those that are billed, those that failed and are not, those without a price.

    `charged`: of those that are billed the ones that failed; they gave tokens, so they are taken as billed.
    `failed_bare`: of those that failed the ones of which nobody knows what they would cost.
    """

    requests: int = 0
    unpriced: int = 0
    tokens: Tokens = Tokens()
    usd: Usd = Usd()
    failed: int = 0
    failed_tokens: Tokens = Tokens()
    failed_usd: Usd = Usd()
    charged: int = 0
    charged_tokens: Tokens = Tokens()
    charged_usd: Usd = Usd()
    failed_bare: int = 0

    def plus(self, other: LogSums) -> LogSums:
        """Both together."""
        return LogSums(
            self.requests + other.requests, self.unpriced + other.unpriced, self.tokens.plus(other.tokens),
            self.usd.plus(other.usd), self.failed + other.failed, self.failed_tokens.plus(other.failed_tokens),
            self.failed_usd.plus(other.failed_usd), self.charged + other.charged,
            self.charged_tokens.plus(other.charged_tokens), self.charged_usd.plus(other.charged_usd),
            self.failed_bare + other.failed_bare,
        )  # fmt: skip

    def minus(self, other: LogSums) -> LogSums:
        """What is left of these without the others."""
        return LogSums(
            self.requests - other.requests, self.unpriced - other.unpriced, self.tokens.minus(other.tokens),
            self.usd.minus(other.usd), self.failed - other.failed, self.failed_tokens.minus(other.failed_tokens),
            self.failed_usd.minus(other.failed_usd), self.charged - other.charged,
            self.charged_tokens.minus(other.charged_tokens), self.charged_usd.minus(other.charged_usd),
            self.failed_bare - other.failed_bare,
        )  # fmt: skip


class LogSlice(NamedTuple):
    """What the log has of half an hour (UTC; None where undated), model and provider."""

    begin: datetime | None
    model: str | None
    provider: str | None
    sums: LogSums


class InvoiceSums(NamedTuple):
    """Rows of the invoice for one day and model; what not all rows (of amounts: no row) say is None."""

    rows: int = 0
    requests: int | None = None
    tokens: Tokens | None = None
    billed_usd: Decimal | None = None
    usd: Usd | None = None  # of its tokens
    rounding_usd: Decimal = ZERO  # by how much its amounts may be rounded
    unvalued: int = 0  # rows without an amount
    tiers: tuple[str, ...] = ()  # service tiers of its rows, the standard one too


class Beside(NamedTuple):
    """Money of an invoice that is no call's: credits (below 0), or an item that is no model."""

    is_credit: bool
    rows: int
    usd: Decimal


class Invoice(NamedTuple):
    """An invoice: its days (None: one sum over the whole period), its period, and whom it is of where it says so.

    `beside`: what is no call's, by day and name (of credits the model's, where the row names one).
    """

    cells: dict[tuple[date | None, str | None], InvoiceSums]
    first_on: date
    last_on: date
    providers: frozenset[str]
    undated_count: int = 0
    beside: Mapping[tuple[date | None, str | None], Sequence[Beside]] = MappingProxyType({})


def log_slices(
    store: Store, files: Sequence[FileCounts], own: PriceBook, listed: PriceBook | None
) -> tuple[list[LogSlice], int]:  # fmt: skip
    """The requests of these files, and how many rows are sums instead.

    `listed` is the public list where `own` has rates of the user's.
    """
    sum_count = int(store.scalar("SELECT count(*) FROM aggregate_source")) if select_attempts(store, files) else 0
    has_tiers = _price(store, "request_source", "log", own, listed, are_sums=False)
    slices = [
        LogSlice(
            begin, model, provider,
            LogSums(requests, unpriced, Tokens(*row[:3]), Usd(*row[3:9]), failed, Tokens(*row[9:12]), Usd(*row[12:18]),
                    charged, Tokens(*row[18:21]), Usd(*row[21:]), failed_bare),
        )
        for begin, model, provider, requests, unpriced, failed, failed_bare, charged, *row in store.query(
            pages.page("ledger_log.sql", **_names("log", listed, has_tiers=has_tiers))
        )
    ]  # fmt: skip
    return slices, sum_count


def read_invoice(store: Store, files: Sequence[FileCounts], own: PriceBook, listed: PriceBook | None) -> Invoice | None:
    """The rows of these files; None where they have none with a date."""
    has_sums = select_attempts(store, files)
    sources = [("request_source", False), *([("aggregate_source", True)] if has_sums else [])]
    tiers = [
        _price(store, source, f"invoice{number}", own, listed, are_sums=are_sums)
        for number, (source, are_sums) in enumerate(sources)
    ]  # fmt: skip
    for name in ("own", "own_full", "own_standard", *(("list", "list_full", "list_standard") if listed else ())):
        parts = " UNION ALL BY NAME ".join(f"SELECT * FROM invoice{number}_{name}" for number in range(len(sources)))
        store.execute(f"CREATE OR REPLACE TEMP VIEW invoice_{name} AS {parts}")
    pages.run(store, "ledger_rows.sql")
    first, last, is_daily = store.query(pages.page("ledger_period.sql"))[0]
    if first is None:
        return None
    names = _names("invoice", listed, has_tiers=any(tiers))
    cells: dict[tuple[date | None, str | None], InvoiceSums] = {}
    found = store.query(pages.page("ledger_invoice.sql", **names), {"is_daily": is_daily})
    beside: dict[tuple[date | None, str | None], list[Beside]] = {}
    for day, model, kind, rows, requests, billed, rounding, unvalued, tiers, *row in found:
        if kind is not None:
            beside.setdefault((day, model), []).append(Beside(kind == "credit", rows, billed))
            continue
        tokens = None if row[0] is None else Tokens(*row[:3])
        usd = None if tokens is None or row[3] is None else Usd(*row[3:])
        cells[day, model] = InvoiceSums(rows, requests, tokens, billed, usd, rounding, unvalued, tuple(tiers))
    providers = store.query("SELECT DISTINCT provider FROM invoice_own")
    known = frozenset(name for (name,) in providers if name is not None)
    undated = int(store.scalar("SELECT count(*) FROM invoice_own WHERE started_at IS NULL"))
    return Invoice(cells, first, last, known if len(known) == len(providers) else frozenset(), undated, beside)


def other_currencies(store: Store) -> list[str]:
    """Currencies of the invoice besides USD."""
    return [
        name for (name,) in store.query(
            "SELECT DISTINCT upper(logged_currency) FROM invoice_own WHERE logged_cost IS NOT NULL "
            "AND upper(logged_currency) <> 'USD' ORDER BY 1"
        )
    ]  # fmt: skip


def _price(
    store: Store, source: str, name: str, own: PriceBook, listed: PriceBook | None, *, are_sums: bool
) -> bool:  # fmt: skip
    """Tables `name`_own, _own_full, _own_standard and, beside own rates, the same of _list; whether a row is of a tier.

    Where no row is, the standard tier is a name for the same table.
    """
    has_tiers = bool(
        store.scalar(f"SELECT coalesce(bool_or(lower(service_tier) IN ({OTHER_TIERS})), false) FROM {source}")
    )
    views = {"full": UNCACHED, "standard": STANDARD}
    for view, text in views.items():
        store.execute(f"CREATE OR REPLACE TEMP VIEW {source}_{view} AS {text.format(source)}")
    for kind, book in (("own", own), ("list", listed)):
        if book is None:
            continue
        target = f"{name}_{kind}"
        apply_prices(store, source=source, target=target, book=book, are_sums=are_sums)
        apply_prices(store, source=f"{source}_full", target=f"{target}_full", book=book, are_sums=are_sums)
        if has_tiers:
            apply_prices(store, source=f"{source}_standard", target=f"{target}_standard", book=book, are_sums=are_sums)
        else:
            store.execute(f"CREATE OR REPLACE VIEW {target}_standard AS SELECT * FROM {target}")
    return has_tiers


def _names(side: str, listed: PriceBook | None, *, has_tiers: bool) -> dict[str, str]:
    """What the pages call the tables of one side; one price is not joined twice."""
    public = f"{side}_{'list' if listed else 'own'}"
    standard = "".join(
        f"JOIN {table}_standard {name} USING (file_id, source_line) "
        for name, table in (("s", f"{side}_own"), ("t", public))
    )
    return {
        "model_key": MODEL_KEY, "listed": public, "listed_full": f"{public}_full",
        "standard": standard if has_tiers else "", "own_standard": "s" if has_tiers else "o",
        "list_standard": "t" if has_tiers else "l",
    }  # fmt: skip
