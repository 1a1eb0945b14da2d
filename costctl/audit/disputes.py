"""Records that are merged, as they have one id, but that disagree on what the request used or cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from costctl.audit import pages
from costctl.formats.told import FileCounts
from costctl.report import Warning, counted
from costctl.store import Store


def find_disputes(store: Store, files: Sequence[FileCounts]) -> None:
    """Keep them as `disputed_record`. The records are compared only where any were merged, which most logs have not."""
    accepted = sum({item.file_id: item.accepted for item in files}.values())
    if store.scalar("SELECT count(*) FROM chosen") < accepted:
        pages.run(store, "disputes.sql")
    else:
        store.execute("CREATE OR REPLACE TEMP TABLE disputed_record (row_id BIGINT)")


def disputes(store: Store) -> list[Warning]:
    """How many there are, where the first is, and which record counts."""
    count = int(store.scalar("SELECT count(*) FROM disputed_record"))
    if not count:
        return []
    found = store.query(
        "SELECT label, source_line, kept_label, kept_line FROM disputed_record ORDER BY label, source_line LIMIT 1"
    )
    label, line, kept_label, kept_line = found[0]
    records = counted(count, "merged record disagrees", "merged records disagree")
    text = (
        f"{records} in tokens or cost with the record of the same id that counts, "
        f"the first at {Path(label).name}:{line} with {Path(kept_label).name}:{kept_line}; "
        "most output tokens count, then known cached tokens, then most input"
    )
    return [Warning("W129", text, "are these several requests? name what tells them apart: --map request_id=...")]
