"""The content of a file, cut into tasks by its shape."""

from __future__ import annotations

from collections.abc import Iterator

from costctl.formats.detect import shape_of
from costctl.formats.documents import document_tasks
from costctl.formats.sources import Source
from costctl.formats.tables import table_tasks
from costctl.formats.tasks import Task, line_tasks

_CUT = {"lines": line_tasks, "document": document_tasks, "table": table_tasks}


def tasks_of(source: Source) -> Iterator[Task]:
    """The content of a file as tasks that may be read apart."""
    return _CUT[shape_of(source)](source)
