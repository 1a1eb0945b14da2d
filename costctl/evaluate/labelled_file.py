"""A labelled data set: prompts with how good the cheaper and the dearer model's answers were.

JSONL or CSV (of commas, semicolons or tabs), also gzipped: `prompt`, `cheap_score`, `dear_score` (0 to 1, or true
and false), and where there are such, `group` (what may be unseen: a domain, a customer), `endpoint`, `app`, `intent`,
`language`. Other columns are no concern of ours. `--map field=column` names columns that are called otherwise.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from costctl.errors import CostctlError, ExitCode, Problem
from costctl.evaluate.fit import BUCKETS, Sample
from costctl.evaluate.labels import Labels, Pair
from costctl.formats.tables import header_of
from costctl.policy.units import shown
from costctl.tiers.learned import CATEGORIES, read_texts

NEEDED = ("prompt", "cheap_score", "dear_score")
FIELDS = (*NEEDED, "group", *CATEGORIES)
HINT = 'a line is {"prompt": "...", "cheap_score": 0, "dear_score": 1}, or CSV with these columns; see --map'
PROBLEMS_TOLD = 100
COLUMNS_TOLD = 12
LARGEST_BYTES = 2**30
Row = tuple[int, Mapping[str, Any]]


def fields_of(mapping: Sequence[str]) -> dict[str, str]:
    """Field -> column, from `field=column` texts; a field that is not named is called as it is.

    Raises:
        CostctlError: E459.
    """
    found = {name: name for name in FIELDS}
    for text in mapping:
        field, _, column = text.partition("=")
        if field not in FIELDS or not column:
            raise CostctlError("E459", f"--map {text}: not field=column", f"fields: {', '.join(FIELDS)}")
        found[field] = column
    return found


def has_prompts(path: Path, fields: Mapping[str, str]) -> bool:
    """Whether this is a labelled data set rather than scores by request id: its first line has a prompt."""
    first = next(_rows(_text(path, head=True), []), None)
    return first is not None and fields["prompt"] in first[1]


def read_labelled(path: Path, fields: Mapping[str, str], pair: Pair) -> Labels:
    """The labels of a file.

    Raises:
        CostctlError: E452 where it cannot be read, E453 with every problem of its lines.
    """
    problems: list[Problem] = []
    texts, cheap, dear, unlabelled = list[str](), list[float](), list[float](), 0
    others: dict[str, list[str | None]] = {name: [] for name in ("group", *CATEGORIES)}
    columns: dict[str, None] = {}  # of the rows without both scores, in their order
    text = _text(path)
    number = _reads_numbers(text)
    for line, row in _rows(text, problems):
        before = len(problems)
        prompt = row.get(fields["prompt"])
        if not isinstance(prompt, str) or not prompt.strip():
            problems.append(Problem(str(path), line, None, fields["prompt"], "must be the text of a prompt"))
        scores = [_score(number(row.get(fields[name])), path, line, fields[name], problems) for name in NEEDED[1:]]
        if len(problems) > before:
            continue
        if scores[0] is None or scores[1] is None:
            unlabelled += 1
            if len(columns) < COLUMNS_TOLD:
                columns |= dict.fromkeys(row)
            continue
        texts.append(str(prompt))
        cheap.append(scores[0])
        dear.append(scores[1])
        for name, values in others.items():
            said = row.get(fields[name])
            values.append(None if said is None or said == "" else str(said))
    if problems:
        told = [Problem(str(path), *one[1:]) for one in problems]
        more = f" (and {len(told) - 1:,} more)" if len(told) > 1 else ""
        raise CostctlError("E453", f"{told[0]}{more}", HINT, ExitCode.INPUT, tuple(told[:PROBLEMS_TOLD]))
    if not texts:
        raise _no_labels(path, fields, list(columns))
    known = {name: tuple(others[name]) for name in CATEGORIES if any(one is not None for one in others[name])}
    groups = next((others[name] for name in ("group", "endpoint", "app") if any(others[name])), None)
    sample = Sample("text", read_texts(texts, BUCKETS, known), np.array(cheap), np.array(dear))
    return Labels(
        sample, tuple(texts), None if groups is None else tuple(one or "" for one in groups), pair,
        (("prompt without both scores", unlabelled),),
    )  # fmt: skip


def _text(path: Path, *, head: bool = False) -> str:
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            with gzip.open(io.BytesIO(raw)) as file:
                raw = file.read(2**20 if head else LARGEST_BYTES + 1)
        if len(raw) > LARGEST_BYTES:
            raise _unreadable(path, "it is larger than 1 GiB")
        raw = raw[: 2**20] if head else raw
        return raw.decode("utf-8-sig", errors="ignore" if head else "strict")
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    except (EOFError, zlib.error) as error:
        raise _unreadable(path, f"it is cut or damaged: {error}") from error
    except UnicodeDecodeError as error:
        raise _unreadable(path, "it is not UTF-8 text") from error


def _unreadable(path: Path, reason: str) -> CostctlError:
    return CostctlError("E452", f"cannot read the labels: {path}: {reason}", HINT, ExitCode.INPUT)


def _no_labels(path: Path, fields: Mapping[str, str], columns: Sequence[str]) -> CostctlError:
    """No row has both scores: which column is missing, and which there are to name instead."""
    reason = "it holds no labelled prompts"
    lacking = [name for name in NEEDED if fields[name] not in columns]
    if not columns or not lacking:
        return _unreadable(path, reason)
    named = ", ".join(shown(one) for one in columns[:COLUMNS_TOLD])
    return CostctlError(
        "E452",
        f"cannot read the labels: {path}: {reason}: no {' and no '.join(fields[name] for name in lacking)} "
        f"among its columns {named}",
        f"name the columns: {' '.join(f'--map {name}=COLUMN' for name in lacking)}",
        ExitCode.INPUT,
    )


def _reads_numbers(text: str) -> Callable[[Any], Any]:
    """What makes a number of a field: where no comma parts the fields, it may part the decimals."""
    if text.lstrip()[:1] == "{" or header_of(text)[0] == ",":
        return lambda value: value
    return lambda value: value.replace(",", ".") if isinstance(value, str) else value


def _rows(text: str, problems: list[Problem]) -> Iterator[Row]:
    """Line number and record; what cannot be read goes to `problems`."""
    if text.lstrip()[:1] == "{":
        for line, one in enumerate(text.split("\n"), 1):
            if not one.strip():
                continue
            try:
                record = json.loads(one)
            except (ValueError, RecursionError) as error:
                problems.append(Problem("", line, None, "", f"not JSON: {error or 'nested too deeply'}"))
                continue
            if isinstance(record, dict):
                yield line, record
            else:
                problems.append(Problem("", line, None, "", "must be an object"))
        return
    delimiter, above = header_of(text)
    body = io.StringIO(text, newline="")
    for _ in range(above):
        body.readline()
    reader = csv.DictReader(body, delimiter=delimiter, strict=True)
    try:
        for record in reader:
            if None in record or None in record.values():
                problems.append(
                    Problem("", reader.line_num + above, None, "", "has more or fewer fields than the header")
                )
            else:
                yield reader.line_num + above, record
    except csv.Error as error:
        problems.append(Problem("", reader.line_num + above, None, "", f"not CSV: {error}"))


def _score(value: Any, path: Path, line: int, column: str, problems: list[Problem]) -> float | None:
    """A score from 0 to 1, None where there is none."""
    if isinstance(value, str):
        text = value.strip().lower()
        if text in {"true", "false", ""}:
            value = {"true": True, "false": False, "": None}[text]
        else:
            try:
                value = float(text)
            except ValueError:
                value = text
    if value is None or (isinstance(value, bool | int | float) and 0 <= value <= 1):
        return None if value is None else float(value)
    problems.append(Problem(str(path), line, None, column, f"must be a number from 0 to 1, not {shown(value)}"))
    return None
