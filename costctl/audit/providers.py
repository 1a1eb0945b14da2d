"""How the spend falls on providers, and what only one of them could serve."""

from __future__ import annotations

from decimal import Decimal

from costctl.audit import pages
from costctl.audit.totals import share
from costctl.prices.book import PriceBook
from costctl.report import Table
from costctl.store import Store

COLUMNS = ("provider", "request_count", "list_cost_usd", "share_ratio", "only_here_usd", "only_here_ratio")


def provider_share(store: Store, book: PriceBook) -> Table:
    """Share of each provider, and the part whose model no other provider of the price book sells."""
    total: Decimal = store.scalar("SELECT coalesce(sum(list_cost_usd), 0) FROM bill")
    sellers: dict[str, int] = {}
    by_provider: dict[str | None, list[tuple[str, int, Decimal | None]]] = {}
    for provider, model, count, cost in store.query(pages.page("provider_models.sql")):
        if model and model not in sellers:
            sellers[model] = len(book.sellers(model))
        by_provider.setdefault(provider, []).append((model, count, cost))
    rows: list[tuple[str | None, int, Decimal | None, float | None, Decimal | None, float | None]] = []
    for provider, models in by_provider.items():
        count = sum(item[1] for item in models)
        priced = [(model, cost) for model, _, cost in models if cost is not None]
        if not priced:
            rows.append((provider, count, None, None, None, None))
            continue
        cost = sum((item[1] for item in priced), Decimal(0))
        only = sum((item[1] for item in priced if sellers.get(item[0], 0) <= 1), Decimal(0))
        rows.append((provider, count, cost, share(cost, total), only, share(only, cost)))
    rows.sort(key=lambda row: (row[2] is None, -(row[2] or 0), str(row[0])))
    return Table.of("provider_share", COLUMNS, rows)
