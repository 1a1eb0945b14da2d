"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from costctl.cli.output import Form

Logs = Annotated[
    list[str] | None, typer.Argument(help="Files, folders, globs, or - for standard input.", metavar="LOG...")
]
Agents = Annotated[
    list[str] | None,
    typer.Option("--from", metavar="AGENT",
                 help="The history of claude-code, codex, gemini-cli, qwen-code or opencode on this disk. Repeatable."),
]  # fmt: skip
Output = Annotated[Form, typer.Option("--output", envvar="COSTCTL_OUTPUT", help="Form of the answer.")]
Embedding = Annotated[
    str | None,
    typer.Option("--embedding", envvar="COSTCTL_EMBEDDING",
                 help="How near prompts are: wordllama, words, model2vec:NAME, sentence-transformers:NAME."),
]  # fmt: skip
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file instead of standard output.")]
Db = Annotated[Path | None, typer.Option("--db", envvar="COSTCTL_DB", help="Workspace [.costctl/costctl.duckdb].")]
Prices = Annotated[Path | None, typer.Option("--prices", envvar="COSTCTL_PRICES", help="Your own rates (YAML).")]
