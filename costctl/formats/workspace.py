"""The tables of the workspace: what was read from which file. They only cache.

This module stays light, so that a report can be remembered without the engines of reading.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from costctl.formats.sources import Source, quick_identity
from costctl.request import COLUMNS, SOURCE_COLUMNS

if TYPE_CHECKING:
    from costctl.store import Store

_TABLES = {
    # The columns of `attempt` come with the files that fill them: an empty one costs as much to
    # write as a full one. `attempt_full` shows them all.
    "attempt": "file_id INTEGER, source_line BIGINT",
    "source_file": "file_id INTEGER, content VARCHAR, identity VARCHAR, label VARCHAR, format_name VARCHAR, "
    "records_read BIGINT, lines_read BIGINT, accepted BIGINT, digest VARCHAR, path VARCHAR, mapping VARCHAR, "
    "totalled BIGINT",
    # Of files whose prompts were read again: how long each is, and its beginnings as hashed blocks.
    "prompt_prefix": "file_id INTEGER, source_line BIGINT, chars BIGINT, blocks BIGINT[]",
    "prompt_prefix_file": "file_id INTEGER",
    # Of files whose answers were read again: which ones break the rules of the policy that was simulated last.
    "answer_check": "file_id INTEGER, source_line BIGINT, is_broken BOOLEAN",
    "answer_check_file": "file_id INTEGER",
    "answer_check_rules": "rules VARCHAR",
    # Of files whose prompts were read again: what the learned router that was simulated last says of each.
    "router_score": "file_id INTEGER, source_line BIGINT, score DOUBLE",
    "router_score_file": "file_id INTEGER",
    "router_score_router": "router VARCHAR",
    # What a profile tells of its log, and what its rows hold beside canonical columns: costctl/formats/profile.py.
    "profile_file": "file_id INTEGER, told VARCHAR",
    "profile_row": "file_id INTEGER, source_line BIGINT, text_number INTEGER, answer_number INTEGER, guard INTEGER, "
    "slots INTEGER[], near_texts INTEGER[], near_ppb INTEGER[], like_answers INTEGER[], is_answer_broken BOOLEAN, "
    "router_score DOUBLE",
    "unread_value": "file_id INTEGER, column_name VARCHAR, value_count BIGINT",
    "ignored_record": "file_id INTEGER, kind VARCHAR, record_count BIGINT",
    "left_out_usage": "file_id INTEGER, trace_id VARCHAR, span_id VARCHAR, parent_id VARCHAR, input_tokens BIGINT, "
    "output_tokens BIGINT",
    "rejected_record": "file_id INTEGER, source_line BIGINT, byte_offset BIGINT, reason VARCHAR",
    "last_report": "rows_asked VARCHAR, findings_asked VARCHAR, report VARCHAR",
}


def create_tables(store: Store) -> None:
    """The workspace's own tables; one laid out by another version is emptied, as it only caches."""
    layout = hashlib.sha256(repr((_TABLES, COLUMNS, SOURCE_COLUMNS)).encode()).hexdigest()
    store.execute("CREATE TABLE IF NOT EXISTS workspace (layout VARCHAR)")
    if store.query("SELECT layout FROM workspace") == [(layout,)]:
        return
    made = "; ".join(f"CREATE OR REPLACE TABLE {name} ({columns})" for name, columns in _TABLES.items())
    store.execute(f"BEGIN; {made}; DELETE FROM workspace; COMMIT")
    store.execute("INSERT INTO workspace VALUES ($layout)", {"layout": layout})


def holds_all(store: Store, sources: Sequence[Source]) -> bool:
    """Whether the workspace has read exactly these contents before, however they were read."""
    known = {content for (content,) in store.query("SELECT DISTINCT content FROM source_file")}
    return all(quick_identity(source.path) in known for source in sources)


def forget_earlier(store: Store, contents: Mapping[str, str]) -> None:
    """Drop what files of these names held before they changed, so that the workspace does not grow for ever."""
    found = store.query(
        "SELECT file_id, label, content FROM source_file WHERE label IN (SELECT unnest($labels))",
        {"labels": list(contents)},
    )
    earlier = [file_id for file_id, label, content in found if contents[label] != content]
    for table in (name for name, columns in _TABLES.items() if columns.startswith("file_id") and earlier):
        store.execute(f"DELETE FROM {table} WHERE file_id IN (SELECT unnest($ids))", {"ids": earlier})


def attempt_columns(store: Store) -> set[str]:
    """The columns that any file has filled so far."""
    return set(store.table("SELECT * FROM attempt LIMIT 0")[0])


def add_attempt_columns(store: Store, columns: Mapping[str, str]) -> None:
    """Columns (name and type) that a file fills first; all at once while there is no row yet."""
    present = attempt_columns(store)
    new = {name: kind for name, kind in columns.items() if name not in present}
    if not new:
        return
    if not store.scalar("SELECT count(*) FROM attempt"):
        added = ", ".join(f'CAST(NULL AS {kind}) AS "{name}"' for name, kind in new.items())
        store.execute(f"CREATE OR REPLACE TABLE attempt AS SELECT *, {added} FROM attempt")
        return
    for name, kind in new.items():
        store.execute(f'ALTER TABLE attempt ADD COLUMN "{name}" {kind}')


def show_all_columns(store: Store) -> None:
    """The view `attempt_full`: every canonical column, NULL where no file has it, and `row_id`."""
    present = attempt_columns(store)
    columns = ", ".join(
        f'"{column.name}"' if column.name in present else f'CAST(NULL AS {column.type}) AS "{column.name}"'
        for column in (*SOURCE_COLUMNS, *COLUMNS)
    )
    store.execute(f"CREATE OR REPLACE TEMP VIEW attempt_full AS SELECT rowid AS row_id, {columns} FROM attempt")
