"""The command line: parse, call, render, exit code. Heavy imports wait for their command."""

from __future__ import annotations

import os
import sys

from costctl import __version__
from costctl.errors import CostctlError, ExitCode


def run(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; the only place that catches errors."""
    if (sys.argv[1:] if arguments is None else arguments) == ["--version"]:
        sys.stdout.write(f"costctl {__version__}\n")
        return ExitCode.OK
    from costctl.cli.app import app, option_names  # noqa: PLC0415  (typer is not needed for --version)
    from costctl.cli.settings import read_settings  # noqa: PLC0415

    try:
        code = app(
            args=arguments, standalone_mode=False, prog_name="costctl", default_map=read_settings(option_names())
        )
    except CostctlError as error:
        _show(error)
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; nothing half-written was kept\n")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except Exception as error:
        # Typer's own usage errors know their exit code and how to show themselves.
        if not hasattr(error, "exit_code") or not hasattr(error, "show"):
            raise
        error.show()
        return ExitCode(error.exit_code)
    return code if isinstance(code, int) else ExitCode.OK


def _show(error: CostctlError) -> None:
    from costctl.render.cells import safe  # noqa: PLC0415

    sys.stderr.write(f"error[{error.code}] {safe(error.message, 400)}\n")
    for problem in error.problems:
        sys.stderr.write(f"  {safe(str(problem), 400)}\n")
    if error.hint:
        sys.stderr.write(f"  {safe(error.hint, 400)}\n")
