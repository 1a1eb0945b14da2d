"""A file of scores, read strictly: how good each model's answer to a request was, and which tier it needed.

CSV with a header (of commas, semicolons or tabs, as a log's), or one JSON object a line: `request_id`, `model`,
`score` from 0 to 1, and where there are labels `expected_tier` (or `label`), and `answer_label`: requests with the
same one may be given the same answer;
`propensity` is the chance with which the log's router would have chosen that model for the request.
A line says at least one of them; one with a model whose score is empty was not tried yet, and is counted. Scores may be
true and false. Every fault of the file is told.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from costctl.errors import CostctlError, ExitCode, Problem
from costctl.formats.tables import header_of
from costctl.policy.units import shown
from costctl.prices.book import PriceBook
from costctl.report import counted
from costctl.strict_json import strict_json

KEYS = ("request_id", "model", "score", "expected_tier", "label", "answer_label", "propensity")
NUMBERS = ("score", "propensity")
YES_NO = {"true": True, "false": False}
PROBLEMS_TOLD = 100
_DEFUSED = re.compile(r"'[-=+@]")
HINT = 'a line is {"request_id": "r1", "model": "gpt-4o-mini", "score": 0.8}, or CSV with these columns'
_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?([eE]-?[0-9]{1,3})?|\.[0-9]+")
Record = tuple[int, Mapping[str, Any]]


class Score(NamedTuple):
    """One line: `price_key` is the model as prices know it, else its name; None is not said."""

    line: int
    request_id: str
    price_key: str | None
    score: float | None
    expected_tier: str | None
    answer_label: str | None = None
    propensity: float | None = None


@dataclass(frozen=True)
class Scores:
    """The lines of one file."""

    file: str
    lines: tuple[Score, ...]
    unpriced: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Models that prices do not know, with the names there that look like theirs."""
    untried: int = 0
    """Lines that name a model and no score: a probe plan that is partly filled in."""


class _Problems:
    """What is wrong, by line; only the first ones are kept."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self.kept: list[Problem] = []
        self.count = 0
        self.untried = 0

    def add(self, line: int, key: str, message: str) -> None:
        self.count += 1
        if len(self.kept) < PROBLEMS_TOLD:
            self.kept.append(Problem(self._path, line, None, key, message))


def read_scores(path: Path, book: PriceBook, tiers: Sequence[str]) -> Scores:
    """The scores of a file; labels are names of `tiers`.

    Raises:
        CostctlError: E432 where it cannot be read as text, E433 with every problem of its lines.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise _unreadable(path, f"line {line} is not UTF-8 text") from error
    problems = _Problems(path)
    records = _objects(text, problems) if text.lstrip()[:1] == "{" else _rows(text, problems)
    lines = tuple(_checked(records, book, tiers, problems))
    if not lines and not problems.count:
        empty = (
            f": {counted(problems.untried, 'line has', 'lines have')} a model and no score" if problems.untried else ""
        )
        raise _unreadable(path, f"it holds no scores{empty}")
    if problems.count:
        more = f" (and {problems.count - 1:,} more)" if problems.count > 1 else ""
        hint = HINT if problems.count <= PROBLEMS_TOLD else f"{HINT}; shown: the first {PROBLEMS_TOLD}"
        raise CostctlError("E433", f"{problems.kept[0]}{more}", hint, ExitCode.INPUT, tuple(problems.kept))
    names = dict.fromkeys(one.price_key for one in lines if one.price_key is not None)
    unpriced = {name: tuple(book.near(name)) for name in names if book.resolve(name).model_key is None}
    return Scores(str(path), lines, unpriced, problems.untried)


def _unreadable(path: Path, reason: str) -> CostctlError:
    return CostctlError("E432", f"cannot read the scores: {path}: {reason}", HINT, ExitCode.INPUT)


def _objects(text: str, problems: _Problems) -> Iterator[Record]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = strict_json(line)
        except ValueError as error:
            problems.add(number, "", f"not JSON: {error}")
            continue
        if not isinstance(record, dict):
            problems.add(number, "", f"must be an object, not {shown(record)}")
            continue
        _unknown_keys(number, record, problems)
        yield number, record


def _rows(text: str, problems: _Problems) -> Iterator[Record]:
    delimiter, above = header_of(text)
    reader = csv.reader(text.splitlines(keepends=True)[above:], delimiter=delimiter, strict=True)
    header: list[str] = []
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            problems.add(reader.line_num + above, "", f"not CSV: {error}")
            return
        if row is None:
            return
        if not any(row):
            continue
        if not header:
            header = [name.strip() for name in row]
            _unknown_keys(reader.line_num + above, dict.fromkeys(header), problems)
            if len(set(header)) < len(header):
                problems.add(reader.line_num + above, "", "a column stands twice")
            if "request_id" not in header:
                problems.add(reader.line_num + above, "request_id", "is missing in the header")
                return
        elif len(row) != len(header):
            problems.add(reader.line_num + above, "", f"has {len(row)} fields, the header {len(header)}")
        else:
            cells = zip(header, row, strict=True)
            yield reader.line_num + above, {name: _cell(name, value, delimiter) for name, value in cells}


def _cell(name: str, text: str, delimiter: str) -> Any:
    """A field as JSON would hold it; where no comma parts the fields, it may part the decimals of a number."""
    if not text.strip():
        return None
    if name == "score" and text.strip().lower() in YES_NO:
        return YES_NO[text.strip().lower()]
    if name in {"request_id", "model"} and _DEFUSED.match(text):
        return text[1:]  # as `--probes` writes what a spreadsheet would take as a formula
    number = text.strip() if delimiter == "," else text.strip().replace(",", ".")
    return float(number) if name in NUMBERS and _NUMBER.fullmatch(number) else text


def _unknown_keys(line: int, record: Mapping[str, Any], problems: _Problems) -> None:
    for name in record:
        if name not in KEYS:
            near = get_close_matches(name, KEYS, n=1)
            ending = f"did you mean {near[0]}?" if near else f"known: {', '.join(KEYS)}"
            problems.add(line, shown(name).strip("'"), f"unknown key; {ending}")


def _checked(records: Iterator[Record], book: PriceBook, tiers: Sequence[str], problems: _Problems) -> Iterator[Score]:
    keys: dict[str, str] = {}
    scored: dict[tuple[str, str], int] = {}
    labelled: dict[tuple[str, str], tuple[str, int]] = {}
    for line, record in records:
        found, before = _score_of(line, record, tiers, problems), problems.count
        if found is None:
            continue
        if found.price_key is not None:
            name = found.price_key
            if name not in keys:
                keys[name] = book.resolve(name).model_key or name
            found = found._replace(price_key=keys[name])
            first = scored.setdefault((found.request_id, keys[name]), line)
            if first != line:
                problems.add(line, "model", f"the request has a line of {keys[name]} in line {first} too")
        for key, label in (("expected_tier", found.expected_tier), ("answer_label", found.answer_label)):
            if label is None:
                continue
            said, first = labelled.setdefault((key, found.request_id), (label, line))
            if said != label:
                what = shown(said) if key == "answer_label" else said
                problems.add(line, key, f"the request has the label {what} in line {first}")
        if problems.count == before:
            yield found


def _score_of(line: int, record: Mapping[str, Any], tiers: Sequence[str], problems: _Problems) -> Score | None:
    """The line, None where a field of it is wrong."""
    before = problems.count
    request_id, model, score = record.get("request_id"), record.get("model"), record.get("score")
    if isinstance(request_id, int) and not isinstance(request_id, bool):
        request_id = str(request_id)
    if not isinstance(request_id, str) or not request_id:
        is_missing = request_id is None or request_id == ""
        problems.add(line, "request_id", "is missing" if is_missing else f"must be a text, not {shown(request_id)}")
    if model is not None and (not isinstance(model, str) or not model):
        problems.add(line, "model", f"must be the name of a model, not {shown(model)}")
    if isinstance(score, bool):
        score = float(score)
    if score is not None and not (_is_number(score) and 0 <= score <= 1):
        problems.add(line, "score", f"must be a number from 0 to 1, not {shown(score)}")
    chance = record.get("propensity")
    if chance is not None and not (_is_number(chance) and 0 < chance <= 1):
        problems.add(line, "propensity", f"must be a chance, above 0 and at most 1, not {shown(chance)}")
    label = _label(line, record, tiers, problems)
    answer = record.get("answer_label")
    if answer is not None and not isinstance(answer, str | int):
        problems.add(line, "answer_label", f"must be a text or a number, not {shown(answer)}")
    if problems.count == before:
        is_of_model = score is not None or chance is not None
        if model is not None and "score" in record and not is_of_model and label is None and answer in {None, ""}:
            problems.untried += 1
            return None
        if (model is not None) != is_of_model:
            what = "a propensity" if score is None and is_of_model else "a score"
            problems.add(line, "model" if model is None else "score", f"is missing: {what} is that of a model")
        elif not is_of_model and label is None and answer in {None, ""}:
            problems.add(line, "score", "is missing")
    if problems.count > before:
        return None
    said = None if answer in {None, ""} else str(answer)
    known = (None if value is None else float(value) for value in (score, chance))
    return Score(line, str(request_id), model, next(known), label, said, next(known))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _label(line: int, record: Mapping[str, Any], tiers: Sequence[str], problems: _Problems) -> str | None:
    said = {name: record[name] for name in ("expected_tier", "label") if record.get(name) is not None}
    if len(set(map(str, said.values()))) > 1:
        problems.add(line, "label", "is not the expected_tier of the same line")
    for name, label in said.items():
        if label not in tiers:
            known = f"the policy's tiers are {', '.join(tiers)}" if tiers else "the policy has no tiers"
            problems.add(line, name, f"must be a tier, not {shown(label)}; {known}")
    found = next(iter(said.values()), None)
    return found if isinstance(found, str) else None
