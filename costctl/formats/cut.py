"""The content of a file, cut into tasks by its shape."""

from __future__ import annotations

from collections.abc import Iterator

from costctl.formats.base import LogFormat
from costctl.formats.databases import database_tasks
from costctl.formats.detect import shape_of
from costctl.formats.documents import document_tasks
from costctl.formats.events import event_tasks
from costctl.formats.sources import Source
from costctl.formats.tables import table_tasks
from costctl.formats.tasks import Task, line_tasks

_CUT = {"lines": line_tasks, "document": document_tasks, "table": table_tasks, "database": database_tasks,
        "events": event_tasks}  # fmt: skip


def cut(source: Source) -> Iterator[Task]:
    """The content of a file as tasks that may be read apart."""
    return _CUT[shape_of(source)](source)


def tasks_of(source: Source, log_format: LogFormat) -> Iterator[Task]:
    """The tasks of a file; one alone where its records must be seen together."""
    if log_format.resolve is None:
        return cut(source)
    return iter([Task(str(source.path), length=source.path.stat().st_size, is_whole=True)])
