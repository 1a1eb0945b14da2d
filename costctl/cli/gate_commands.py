"""gate and diff: a run judged, and two runs beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from costctl.cli.options import GateOutput, Out, Output
from costctl.cli.output import Form, check_target, emit
from costctl.errors import ExitCode

Run = "A run: costctl simulate --output json -o run.json."


def gate(
    run: Annotated[Path, typer.Argument(help=Run, metavar="RUN")],
    compare_to: Annotated[
        Path | None,
        typer.Option("--compare-to", help="An earlier run of the same log: gives X_delta and X_growth_ratio."),
    ] = None,
    fail_if: Annotated[
        list[str] | None, typer.Option("--fail-if", help="Fail where this holds: 'saving_ratio < 0.2'. Repeatable.")
    ] = None,
    warn_if: Annotated[
        list[str] | None, typer.Option("--warn-if", help="The same as a warning, exit code 0. Repeatable.")
    ] = None,
    gate_exit_code: Annotated[
        int, typer.Option("--gate-exit-code", min=0, max=255, help="Exit code where a gate fails or cannot run.")
    ] = ExitCode.GATE,
    output: GateOutput = Form.TABLE,
    out: Out = None,
) -> None:
    """Does this run keep its bounds? Those of its policy, and those given here."""
    from costctl.gate.conditions import read_conditions  # noqa: PLC0415
    from costctl.gate.run import gate as judged  # noqa: PLC0415
    from costctl.gate.verdicts import is_broken  # noqa: PLC0415
    from costctl.replay.compare import read_run  # noqa: PLC0415

    asked = read_conditions(fail_if or (), warn_if or (), has_base=compare_to is not None)
    if out is not None:
        check_target(out, [str(path) for path in (run, compare_to) if path is not None])
    report = judged(read_run(run), asked, None if compare_to is None else read_run(compare_to))
    emit(report, output, out)
    if is_broken(report):
        raise typer.Exit(gate_exit_code)


def diff(
    base: Annotated[Path, typer.Argument(help="The earlier run.", metavar="BASE")],
    head: Annotated[Path, typer.Argument(help="The run of now.", metavar="HEAD")],
    output: Output = Form.TABLE,
    out: Out = None,
) -> None:
    """What changed between two runs of one log? Arrows only where a change exceeds its interval."""
    from costctl.gate.diff import diff as beside  # noqa: PLC0415
    from costctl.replay.compare import read_run  # noqa: PLC0415

    if out is not None:
        check_target(out, [str(base), str(head)])
    emit(beside(read_run(base), read_run(head)), output, out)
