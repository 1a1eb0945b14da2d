"""Sessions whose files repeat the requests of another session."""

from __future__ import annotations

from costctl.audit import pages
from costctl.formats.workspace import attempt_columns
from costctl.store import Store


def drop_repeats(store: Store) -> None:
    """Take out of `chosen` what a fork, a sub-agent or a resumed session repeats; only where a file tells of such."""
    if "forked_from" in attempt_columns(store):
        pages.run(store, "forks.sql")
