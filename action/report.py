"""The outputs of the action, the summary of the job, and the body of the comment; needs Python alone.

Usage: report.py FOLDER TAG, where FOLDER holds what the steps before left: head.json, gate.json, drift.json, error.txt,
figures.md, each where there was something to say.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

# A comment holds so many characters; counted in bytes, which are never fewer.
BODY_MAX = 65_536
SHOWN_MAX = 30
CUT = "\n*Cut to the size of a comment; the artifact of the job has all of it.*\n"
ESCAPED = str.maketrans({letter: f"\\{letter}" for letter in "\\`*_{}[]<>()#+!|@~"} | {"\n": " ", "\r": " "})


def read(path: Path) -> dict[str, Any]:
    """A report of costctl, empty where there is none."""
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found


def plain(value: object) -> str:
    """Text of a file as text of a page: it makes no markup and mentions nobody."""
    return "".join(letter for letter in str(value)[:300] if letter.isprintable() or letter == "\n").translate(ESCAPED)


def outputs(folder: Path) -> dict[str, str]:
    """What later steps read; empty where a figure is not known."""
    totals = read(folder / "head.json").get("totals", {})
    gate, drift = read(folder / "gate.json"), read(folder / "drift.json")
    is_broken = any(
        row["verdict"] != "PASS" and row["level"] == "error" for row in gate.get("tables", {}).get("gates", ())
    )
    figures = {"savings": "saving_ratio", "p95": "policy_latency_ms_p95", "risk": "wrong_per_request_ratio"}
    return {
        **{name: "" if totals.get(figure) is None else str(totals[figure]) for name, figure in figures.items()},
        "drift": str(drift["totals"]["drift_count"]) if drift else "",
        "gates": ("fail" if is_broken else "pass") if gate else "none",
    }


def body(folder: Path, tag: str) -> str:
    """Markdown that begins with the hidden marker: gates, drift, then the figures as far as they fit."""
    lines = [marker(tag), f"### costctl: {plain(tag)}", ""]
    if (folder / "error.txt").exists():
        said = (folder / "error.txt").read_text("utf-8", "replace").splitlines()
        lines += ["The policy could not be simulated:", "", *(f"    {line[:300]}" for line in said[:SHOWN_MAX]), ""]
    gates = read(folder / "gate.json").get("tables", {}).get("gates", [])
    if gates:
        lines += ["| gate | verdict | value | level |", "|---|---|---|---|"]
        lines += [row_of(row, ("gate", "verdict", "value", "level")) for row in gates[:SHOWN_MAX]] + [""]
    drift = read(folder / "drift.json")
    if drift:
        lines += drift_lines(drift["tables"].get("drift", []))
    text = "\n".join(lines) + "\n"
    figures = folder / "figures.md"
    return text + fitting(figures.read_text("utf-8") if figures.exists() else "", BODY_MAX - len(text.encode()))


def marker(tag: str) -> str:
    """The hidden line by which the next run finds the comment; letters that end no comment."""
    return f"<!-- costctl-action:{''.join(letter if letter.isalnum() else '-' for letter in tag)[:60]} -->"


def drift_lines(rows: list[dict[str, Any]]) -> list[str]:
    """Which keys of the exported files are out of step, and why."""
    if not rows:
        return ["The exported router is in step with the policy.", ""]
    shown = [row_of(row, ("path", "key", "cause", "says")) for row in rows[:SHOWN_MAX]]
    more = [f"and {len(rows) - SHOWN_MAX:,} more", ""] if len(rows) > SHOWN_MAX else []
    head = [
        "The exported router is out of step with the policy:",
        "",
        "| file | key | cause | it |",
        "|---|---|---|---|",
    ]
    return [*head, *shown, "", *more]


def row_of(row: dict[str, Any], names: tuple[str, ...]) -> str:
    """A row of a table."""
    return f"| {' | '.join('' if row.get(name) is None else plain(row[name]) for name in names)} |"


def fitting(text: str, size: int) -> str:
    """Whole lines of a text in at most so many bytes."""
    if len(text.encode()) <= size:
        return text
    kept, left = [], size - len(CUT.encode())
    for line in text.splitlines(keepends=True):
        left -= len(line.encode())
        if left < 0:
            break
        kept.append(line)
    return "".join(kept) + CUT


def main(folder: Path, tag: str) -> None:
    """Write them to where the runner reads them."""
    said = "".join(f"{name}={value}\n" for name, value in outputs(folder).items())
    text = body(folder, tag)
    (folder / "comment.md").write_text(text, "utf-8")
    for variable, content in (("GITHUB_OUTPUT", said), ("GITHUB_STEP_SUMMARY", text)):
        with Path(os.environ[variable]).open("a", encoding="utf-8") as file:
            file.write(content)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
