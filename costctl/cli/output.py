"""Where a report goes: standard output or a file, in the form asked for."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from costctl.errors import NO_ROOM, CostctlError, no_room_for
from costctl.report import Report


class Form(StrEnum):
    """Forms of output."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"
    GITHUB = "github"
    GITHUB_COMMENT = "github-comment"
    GITLAB = "gitlab"
    JUNIT = "junit"
    OPENMETRICS = "openmetrics"
    FOCUS = "focus"


WITHOUT_WORDS = (Form.CSV, Form.FOCUS, Form.OPENMETRICS)  # figures alone: the warnings go to standard error
# Forms of what only these commands have.
ONLY_OF = {Form.JUNIT: ("gate", "simulate"), Form.FOCUS: ("audit",)}


def emit(report: Report, output: str = "table", out: Path | None = None, inputs: Sequence[str] = ()) -> None:
    """Write the report; a file appears whole or not at all, and never in place of an input."""
    if out is not None:
        check_target(out, inputs)
    if output == Form.FOCUS:
        from costctl.render.focus import with_undated  # noqa: PLC0415  (as the renderers)

        report = with_undated(report)
    text = rendered(report, output)
    if output in WITHOUT_WORDS:
        from costctl.render.machine import words_of  # noqa: PLC0415  (as the renderers)

        sys.stderr.write(words_of(report))
    if out is None:
        with _room_for("standard output"):
            sys.stdout.write(text)
            sys.stdout.flush()
        return
    write_text(text, out)


@contextmanager
def _room_for(target: str) -> Iterator[None]:
    """Names the target of what is written within, where that is what has no room left.

    Raises:
        CostctlError: E170.
    """
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise no_room_for(target) from error
        raise


def write_text(text: str, out: Path) -> None:
    """Write the file whole or not at all.

    Raises:
        CostctlError: E170 where there is no room for it.
    """
    with _room_for(str(out)):
        _write_whole(text, out)


def _write_whole(text: str, out: Path) -> None:
    target = out.resolve()  # a link is followed, not replaced
    if target.exists() and not target.is_file():
        with target.open("w", encoding="utf-8") as file:  # a device or a pipe
            file.write(text)
        return
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".costctl-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(target)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def check_target(out: Path, inputs: Sequence[str], option: str = "-o") -> None:
    """Refuse a target that is one of the inputs or that cannot be written, before any work is done.

    `option` is the one that names it.

    Raises:
        CostctlError: E323.
    """
    if any(Path(name).exists() and Path(name).resolve() == out.resolve() for name in inputs):
        raise CostctlError("E323", f"{option} {out} is an input of this command", "choose another name for the report")
    if out.is_dir() or not out.resolve().parent.is_dir():
        raise CostctlError(
            "E323", f"{option} {out} cannot be written", "the folder must exist, and the name be a file's"
        )


def rendered(report: Report, output: str) -> str:
    """The text of a report in one form."""
    from costctl.render import focus, github, machine, markdown, openmetrics, people, verdicts  # noqa: PLC0415

    forms = {
        Form.JSON: machine.to_json, Form.CSV: machine.to_csv, Form.MARKDOWN: markdown.to_markdown,
        Form.GITHUB: github.to_annotations, Form.GITHUB_COMMENT: github.to_comment, Form.GITLAB: verdicts.to_gitlab,
        Form.JUNIT: verdicts.to_junit, Form.OPENMETRICS: openmetrics.to_openmetrics, Form.FOCUS: focus.to_focus,
    }  # fmt: skip
    if output in forms:
        return forms[Form(output)](report)
    return people.to_terminal(report, max(40, shutil.get_terminal_size((80, 24)).columns))
