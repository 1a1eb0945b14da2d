"""Answers whose requests stand in a file of their own, such as the input and the output of a batch."""

from __future__ import annotations

from costctl.audit import pages
from costctl.formats.workspace import attempt_columns
from costctl.request import COLUMNS, SOURCE_COLUMNS
from costctl.store import Store

# What only the question knows; the answer's own word goes first where it has one.
ASKED = (
    "request_model", "endpoint", "operation", "stream", "user_id", "temperature", "max_output_tokens",
    "response_format", "tool_count",
)  # fmt: skip
DATED = r"'([-@](\d{4}-\d{2}-\d{2}|\d{8}|\d{4}))?(-latest)?$'"


def join_questions(store: Store) -> bool:
    """Complete answers with what was asked, in `question_request` instead of `chosen`; False where there are none."""
    if "asked_key" not in attempt_columns(store):
        return False
    store.execute(pages.page("questions.sql", dated=DATED))
    store.execute(_joined())
    store.execute("DELETE FROM chosen WHERE row_id IN (SELECT row_id FROM question_answer WHERE is_same_model)")
    return True


def stranger_count(store: Store) -> int:
    """Answers that are of another model than the request with their id asked for."""
    if "asked_key" not in attempt_columns(store):
        return 0
    return int(store.scalar("SELECT count(*) FROM question_answer WHERE NOT is_same_model"))


def _joined() -> str:
    """Each answer with what was asked, with all columns of `attempt_full`; its text decides the tier."""
    names = [column.name for column in (*SOURCE_COLUMNS, *COLUMNS)]
    text = {column.name for column in COLUMNS if column.kind in {"text", "tier"}} - {"response_chars"}
    asked = {name: f"coalesce(a.{name}, q.{name})" for name in ASKED}
    told = {name: f"coalesce(q.{name}, a.{name})" for name in text}
    known = {"started_at": "c.first_at", **asked, **told}
    columns = ", ".join(f"{known.get(name, f'a.{name}')} AS {name}" for name in names)
    return (
        f"CREATE OR REPLACE TEMP TABLE question_request AS SELECT {columns} "
        "FROM question_answer j JOIN chosen c USING (row_id) JOIN attempt_full a USING (row_id) "
        "JOIN attempt_full q ON q.row_id = j.question_id WHERE j.is_same_model"
    )
