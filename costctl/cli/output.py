"""Where a report goes: standard output or a file, in the form asked for."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from enum import StrEnum
from pathlib import Path

from costctl.report import Report


class Form(StrEnum):
    """Forms of output."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


def emit(report: Report, output: str = "table", out: Path | None = None) -> None:
    """Write the report; a file appears whole or not at all."""
    text = rendered(report, output)
    if out is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    descriptor, name = tempfile.mkstemp(dir=out.parent or Path(), prefix=".costctl-")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    Path(name).replace(out)


def rendered(report: Report, output: str) -> str:
    """The text of a report in one form."""
    from costctl.render import machine, people  # noqa: PLC0415

    if output == Form.JSON:
        return machine.to_json(report)
    if output == Form.CSV:
        return machine.to_csv(report)
    if output == Form.MARKDOWN:
        return people.to_markdown(report)
    return people.to_terminal(report, max(40, shutil.get_terminal_size((80, 24)).columns))
