"""The command line: parse, call, render, exit code. Heavy imports wait for their command."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress

from costctl import __version__
from costctl.errors import CostctlError, ExitCode, disk_trouble

INTERRUPTED = (
    "interrupted: nothing half-written was kept; what the workspace had read before is still there\n"
    "  the same command again goes on from there, and counts nothing twice\n"
)


MESSAGE_MAX = 400
KNOWN, LIST_COLUMNS = "; known: ", 76
HINT_MAX = 1500  # chars: a list of all names that are allowed is shown whole


def run(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; the only place that catches errors."""
    if (sys.argv[1:] if arguments is None else arguments) == ["--version"]:
        sys.stdout.write(f"costctl {__version__}\n")
        return ExitCode.OK
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show a character still gets the rest
    from costctl.cli.app import group, option_names, option_variables  # noqa: PLC0415  (typer is not needed for --version)
    from costctl.cli.settings import read_settings  # noqa: PLC0415

    _warn_of_unknown_variables(option_variables)
    if "_COSTCTL_COMPLETE" in os.environ:
        from typer import completion  # noqa: PLC0415

        completion.completion_init()  # type: ignore[attr-defined]  # public, but not in its __all__
    try:
        code = group()(
            args=arguments, standalone_mode=False, prog_name="costctl", default_map=read_settings(option_names)
        )
    except CostctlError as error:
        _show(error)
        return error.exit_code
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            trouble = disk_trouble(error)
            _show(trouble)
            _drop_output()
            return trouble.exit_code
        _drop_output()
        return ExitCode.OK
    except Exception as error:
        # Typer's own usage errors know their exit code and how to show themselves.
        if not hasattr(error, "exit_code") or not hasattr(error, "show"):
            raise
        from costctl.cli.usage import meant  # noqa: PLC0415  (rarely needed)

        hint = meant(error)
        error.show()
        if hint:
            sys.stderr.write(f"  {hint}\n")
        return ExitCode(error.exit_code)
    if code == ExitCode.INTERRUPTED:  # Typer answers with this code, too, and says nothing
        sys.stderr.write(INTERRUPTED)
    return code if isinstance(code, int) else ExitCode.OK


def _warn_of_unknown_variables(options: Callable[[], set[str]]) -> None:
    """A misspelt variable would be ignored in silence."""
    set_ones = sorted(name for name in os.environ if name.startswith("COSTCTL_"))
    known = options() if set_ones else set()
    for name in set_ones:
        if name not in known:
            sys.stderr.write(f"warning: {name} is no variable of costctl; there are: {', '.join(sorted(known))}\n")


def _drop_output() -> None:
    """What is still in the buffer has nowhere to go; without this Python complains at exit."""
    with suppress(OSError):  # a test's standard output has no descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show(error: CostctlError) -> None:
    from costctl.render.cells import safe  # noqa: PLC0415

    sys.stderr.write(f"error[{error.code}] {_listed(error.message)}\n")
    # A single problem is the message, or a part of it.
    told = [problem for problem in error.problems if str(problem) not in error.message]
    for problem in told:
        sys.stderr.write(f"  {_listed(str(problem))}\n")
    if error.hint:
        sys.stderr.write(f"  {safe(error.hint, HINT_MAX)}\n")


def _listed(message: str) -> str:
    """The message; where it ends in a list of what is known, all of that, since nothing else tells it."""
    from costctl.render.cells import safe  # noqa: PLC0415
    from costctl.render.wrap import wrapped  # noqa: PLC0415

    said, mark, known = message.partition(KNOWN)
    if not mark or len(message) <= MESSAGE_MAX:
        return safe(message, MESSAGE_MAX)
    lines = wrapped([safe(known, HINT_MAX)], LIST_COLUMNS)
    return "\n    ".join([safe(said, MESSAGE_MAX) + mark.rstrip(), *(line.strip() for line in lines)])
