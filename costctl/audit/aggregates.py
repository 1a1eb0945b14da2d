"""Rows that are sums over many requests (usage APIs, console exports): kept apart, and never added to requests.

They stand in `usage_aggregate`, with the columns of `request`. Where a report has nothing else, its totals of tokens,
money and time and its tables of spend are theirs; requests are not counted from them.
"""

from __future__ import annotations

from typing import Any

from costctl.audit import pages
from costctl.formats.workspace import attempt_columns
from costctl.report import Table
from costctl.store import Store

NAME = "usage_aggregates"


def set_apart(store: Store) -> bool:
    """Move the sums from `chosen` to the view `aggregate_source`; False where the report has none."""
    store.drop("usage_aggregate")
    if "is_aggregate" not in attempt_columns(store):
        return False
    store.execute(
        "CREATE OR REPLACE TEMP TABLE chosen_aggregate AS SELECT c.* FROM chosen c JOIN attempt_full a USING (row_id) "
        "WHERE a.is_aggregate"
    )
    if not store.scalar("SELECT count(*) FROM chosen_aggregate"):
        return False
    store.execute("DELETE FROM chosen WHERE row_id IN (SELECT row_id FROM chosen_aggregate)")
    store.execute(
        pages.page("request_source.sql", source="aggregate_source", chosen="chosen_aggregate", merged="")
    )  # fmt: skip
    return True


def show_bill(store: Store, *, has_aggregates: bool) -> bool:
    """The view `bill`, what the tables of spend are about: the requests, or the sums where there are no requests.

    Answers whether it is the sums.
    """
    is_sums = has_aggregates and not store.scalar("SELECT count(*) FROM request")
    store.execute(f"CREATE OR REPLACE TEMP VIEW bill AS SELECT * FROM {'usage_aggregate' if is_sums else 'request'}")
    return is_sums


def aggregate_totals(store: Store, *, is_sums: bool) -> dict[str, Any]:
    """How many rows and requests the sums hold; also what they come to, where there is nothing else."""
    columns, rows = store.table(pages.page("aggregate_totals.sql"))
    found = dict(zip(columns, rows[0], strict=True))
    counted = ("aggregate_row_count", "aggregate_request_count")
    return found if is_sums else {name: found[name] for name in counted}


def aggregates(store: Store) -> Table:
    """The sums by format, provider and model."""
    return pages.table(store, NAME, "usage_aggregates.sql")
