"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer

from costctl.cli.output import ONLY_OF, Form
from costctl.errors import CostctlError

DEFAULT_TARGETS = ("json", "runbook")
"""Exported where the policy names no targets."""

Logs = Annotated[
    list[str] | None, typer.Argument(help="Files, folders, globs, or - for standard input.", metavar="LOG...")
]
Agents = Annotated[
    list[str] | None,
    typer.Option("--from", metavar="AGENT",
                 help="The history of claude-code, codex, gemini-cli, qwen-code or opencode on this disk. Repeatable."),
]  # fmt: skip


def _has_form(context: typer.Context, form: Form) -> Form:
    """Refuse a form that this command has nothing for, before any work is done."""
    commands = ONLY_OF.get(form)
    if commands is not None and context.info_name not in commands:
        raise CostctlError("E482", f"--output {form.value} is a form of costctl {' and '.join(commands)} only",
                           "forms for every command: table, json, csv, markdown")  # fmt: skip
    return form


def _forms_of(command: str = "") -> Any:
    """--output with the forms that this command has; "" stands for those that have no form of their own."""
    forms = [form.value for form in Form if command in ONLY_OF.get(form, (command,))]
    return typer.Option("--output", envvar="COSTCTL_OUTPUT", help="Form of the answer.", callback=_has_form,
                        metavar=f"[{'|'.join(forms)}]")  # fmt: skip


Output = Annotated[Form, _forms_of()]
AuditOutput = Annotated[Form, _forms_of("audit")]
GateOutput = Annotated[Form, _forms_of("gate")]
SimulateOutput = Annotated[Form, _forms_of("simulate")]
Embedding = Annotated[
    str | None,
    typer.Option("--embedding", envvar="COSTCTL_EMBEDDING",
                 help="How near prompts are: wordllama, words, model2vec:NAME, sentence-transformers:NAME, "
                      "log (vectors in its column `embedding`)."),
]  # fmt: skip
Maps = Annotated[
    list[str] | None, typer.Option("--map", help="field=column (dotted paths), or a YAML file of them. Repeatable.")
]
CachedInInput = Annotated[
    str | None, typer.Option("--cached-in-input", help="yes or no: whether input counts include cached tokens.")
]
DayFirst = Annotated[
    str | None, typer.Option("--day-first", help="yes or no: whether 3/6/2026 is 3 June. By default the log tells.")
]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file instead of standard output.")]
Db = Annotated[Path | None, typer.Option("--db", envvar="COSTCTL_DB", help="Workspace [.costctl/costctl.duckdb].")]
Prices = Annotated[Path | None, typer.Option("--prices", envvar="COSTCTL_PRICES", help="Your own rates (YAML).")]


def share_between(low: float, high: float) -> Callable[[str], float]:
    """What an option reads that takes a share: 0.05 or 5%, as a policy does."""

    def read(text: str) -> float:
        from costctl.policy.units import share  # noqa: PLC0415  (only a few commands need it)

        said = str(text).strip()
        try:
            found = float(share(said if said.endswith("%") else Decimal(said)))
        except (ValueError, InvalidOperation):
            raise typer.BadParameter(f"must be a share such as 5% or 0.05, not {said}") from None
        if not low <= found <= high:
            raise typer.BadParameter(f"must be between {low:g} and {high:g}, not {said}")
        return found

    return read


def yes_or_no(text: str | None, option: str = "--cached-in-input") -> bool | None:
    """What an option says that is yes, no, or left to the log."""
    known = {None: None, "yes": True, "no": False, "true": True, "false": False}
    if text not in known:
        raise typer.BadParameter("yes or no", param_hint=option)
    return known[text]


def named_logs(logs: list[str] | None, agents: list[str] | None) -> list[str]:
    """The logs that a command is to read: those named, and the histories of agents."""
    from costctl.formats.sources import HISTORY  # noqa: PLC0415

    names = [*(logs or ()), *(f"{HISTORY}{agent}" for agent in agents or ())]
    if not names:
        raise typer.BadParameter("name a log, or an agent: --from claude-code", param_hint="LOG")
    return names


Confidence = Annotated[
    float,
    typer.Option("--confidence", parser=share_between(0.5, 0.999), metavar="SHARE",
                 help="How sure the bound is: 0.9 or 90%."),
]  # fmt: skip
