"""Every table of an audit, in the order in which it is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from costctl.audit import pages
from costctl.audit.anatomy import anatomy
from costctl.audit.anomalies import anomalies
from costctl.audit.budgets import LatencyBudget, TokenBudget, latency_budgets, token_budgets
from costctl.audit.prefix_cache import prefix_cache
from costctl.audit.providers import provider_share
from costctl.errors import CostctlError
from costctl.formats.sources import Reader
from costctl.formats.workspace import attempt_columns
from costctl.prices.book import PriceBook
from costctl.report import Table
from costctl.request import DIMENSIONS, OF_TIME, TAG_LIST
from costctl.store import Store

# A class of the anatomy that this log cannot have, as `not_computed` names it.
MISSING_CLASSES = {
    "exact_repeat": "exact_repeats", "near_repeat": "near_repeats", "prompt_cache_miss": "prompt_cache_misses",
}  # fmt: skip
DEAREST_FIRST = "list_cost_usd DESC NULLS LAST, request_count DESC, "
ALWAYS_BY = ("model", "provider", "tier")


class Page(NamedTuple):
    """A finding that is one page of SQL; `absent` says why it is missing where it has no rows.

    It has none, and is not asked for, where no file of the workspace fills the column `rests_on`.
    """

    name: str
    absent: str = ""
    rests_on: str = ""


PAGES = (
    Page("baseline"),
    Page("daily"),
    Page("daily_errors", "no request failed"),
    Page("reconciliation", "no request has both a logged cost in USD and a price", "logged_cost"),
    Page("tier_agreement", "the log claims no tier", "logged_tier"),
    Page("quality", "the log holds no scores", "quality_score"),
    Page("quality_examples", "the log holds no scores", "quality_score"),
    Page("prompt_parts", "the log holds no text", "prompt_chars"),
    Page("system_prompts", "no system prompt in the log", "system_key"),
    Page("distillation", "no narrow group of 1,000 successful requests with text, or no cheaper model", "prompt_key"),
    Page("rejected"),
    Page("ignored"),
    Page("unread", "every value could be read"),
    Page("unpriced"),
    Page("conventions", "no record's own total contradicts what its format counts", "total_fault"),
)


class Wanted(NamedTuple):
    """What the user asks beyond the standard tables."""

    by: Sequence[str] = ()
    token_budgets: Sequence[TokenBudget] = ()
    latency_budgets: Sequence[LatencyBudget] = ()
    priced_at: datetime | None = None
    as_of: datetime | None = None
    has_charges: bool = False
    reader: Reader | None = None  # where the texts may be read again for the near repeats


def check_dimensions(by: Sequence[str]) -> None:
    """Refuse an unknown dimension before anything is read.

    Raises:
        CostctlError: E140 with the dimensions there are.
    """
    for name in by:
        if name not in DIMENSIONS and name != "token_class":
            raise CostctlError("E140", f"unknown dimension: {name}", f"one of: {', '.join(DIMENSIONS)}, token_class")


def tables(store: Store, book: PriceBook, wanted: Wanted) -> tuple[dict[str, Table], dict[str, str]]:
    """Every table of the report, and why the missing ones are missing."""
    found = {table.name: table for table in _made(store, book, wanted)}
    missing: dict[str, str] = {}
    for item in PAGES:
        if item.absent and (item.name not in found or not found[item.name].rows):
            missing[item.name] = item.absent
            found.pop(item.name, None)
    if "anomalies" not in found:
        missing["anomalies"] = "needs four dated days"
        found["anomalies"] = Table.of("anomalies", ("scope", "name"), [])
    if store.scalar("SELECT count(*) FROM request") == 0 and store.scalar("SELECT count(*) FROM bill"):
        missing["anatomy"] = "sums over requests cannot be put into classes"
        del found["anatomy"]
    for row in found["anatomy"].dicts() if "anatomy" in found else ():
        if row["request_count"] is None:
            missing[MISSING_CLASSES[str(row["class"])]] = str(row["note"])
    return found, missing


def _made(store: Store, book: PriceBook, wanted: Wanted) -> Iterator[Table]:
    yield anatomy(store, book, priced_at=wanted.priced_at, as_of=wanted.as_of, reader=wanted.reader)
    for name in dict.fromkeys((*ALWAYS_BY, *wanted.by)):
        yield by_token_class(store) if name == "token_class" else by_dimension(store, name)
    if "tag" in wanted.by and store.scalar(f"SELECT coalesce(max(len({TAG_LIST})), 0) FROM bill") > 1:
        yield each_tag(store)
    found = anomalies(store)
    if found is not None:
        yield found
    yield provider_share(store, book)
    served = prefix_cache(store)
    if served is not None:
        yield served
    yield token_budgets(store, wanted.token_budgets)
    if wanted.latency_budgets:
        yield latency_budgets(store, wanted.latency_budgets)
    filled = attempt_columns(store)
    for item in PAGES:
        if not item.rests_on or item.rests_on in filled:
            yield pages.table(store, item.name, ours=book.called)
    if wanted.has_charges:
        yield pages.table(store, "charges", "charges.sql")


def by_dimension(store: Store, name: str) -> Table:
    """Spend by one dimension, dearest first, days and hours in time order; the rows sum to the total."""
    order = "" if name in OF_TIME else DEAREST_FIRST
    return pages.table(store, f"by_{name}", "by_dimension.sql", dimension=DIMENSIONS[name], column=name, order=order,
                       source="bill")  # fmt: skip


def each_tag(store: Store) -> Table:
    """Spend with each tag, dearest first: a request with several tags counts in each, so the rows do not sum."""
    source = f"(SELECT *, unnest({TAG_LIST}) AS one_tag FROM bill)"
    return pages.table(store, "each_tag", "by_dimension.sql", dimension="one_tag", column="tag", order=DEAREST_FIRST,
                       source=source)  # fmt: skip


def by_token_class(store: Store) -> Table:
    """Spend by class of token; the rows sum to the total."""
    return pages.table(store, "by_token_class")
