"""Files that begin in the middle of a session: what was said before is taken from the file that holds it."""

from __future__ import annotations

from costctl.audit import pages
from costctl.formats.workspace import attempt_columns
from costctl.request import COLUMNS, SOURCE_COLUMNS
from costctl.store import Store

# Said once, for all that follows; the file's own word goes first where it has one.
SAID_BEFORE = (
    "session_id", "forked_from", "request_model", "response_model", "provider", "project", "service_tier", "caller",
)  # fmt: skip


def join_continued(store: Store) -> bool:
    """Complete such rows in `continued_request` instead of `chosen`; False where there are none."""
    if "replay_key" not in attempt_columns(store):
        return False
    pages.run(store, "continued.sql")
    if not store.scalar("SELECT count(*) FROM continued"):
        return False
    names = [column.name for column in (*SOURCE_COLUMNS, *COLUMNS)]
    known = {"started_at": "c.first_at", **{name: f"coalesce(a.{name}, e.{name})" for name in SAID_BEFORE}}
    known["provider"] = "coalesce(e.provider, a.provider)"  # that of a file without its begin is assumed
    columns = ", ".join(f"{known.get(name, f'a.{name}')} AS {name}" for name in names)
    store.execute(
        f"CREATE OR REPLACE TEMP TABLE continued_request AS SELECT {columns} "
        "FROM continued n JOIN chosen c USING (row_id) JOIN attempt_full a USING (row_id) "
        "JOIN attempt_full e ON e.row_id = n.earlier_id"
    )
    store.execute("DELETE FROM chosen WHERE row_id IN (SELECT row_id FROM continued)")
    return True
