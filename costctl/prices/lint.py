"""`costctl prices lint`: faults of price files that a reader would not see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import yaml

from costctl.errors import CostctlError, Problem
from costctl.prices import discounts
from costctl.prices.book import PriceBook, load_book
from costctl.prices.rates import FEE_UNITS, SERVICE_TIERS, TOKEN_UNITS, Rate
from costctl.report import Report, Table, Warning

STALE_DAYS = 180
WHERE_KEYS = ("from", "to", "window", "weekdays", "tier", "over", "upto")
RATE_KEYS = frozenset((*WHERE_KEYS, *TOKEN_UNITS, *FEE_UNITS, "free"))
ENTRY_KEYS = frozenset(("model", "aliases", "source", "checked_on", "rates"))
REGION_KEYS = frozenset(("provider", "models", "region", "multiply", "source", "checked_on"))
BASE_KEYS = frozenset(("id", "name", "match", "rates", "context_window_tokens", "deprecated"))
COLUMNS = ("severity", "place", "key", "message")


class Finding(NamedTuple):
    """One fault: an error makes a price wrong or unprovable, a warning makes it suspicious."""

    severity: str  # error | warning
    problem: Problem


def lint(path: Path, today: date | None = None) -> Report:
    """Faults of a folder of price files (base and overlays) or of a file of own rates.

    Errors: overlapping rates, a missing source or day of checking, unknown keys, prices that
    are no numbers or below 0, a price of 0 that nobody calls free, cached input dearer than
    input, a discount that fits no model or fits one as well as another does. Warnings: output
    cheaper than input, checked more than 180 days ago, and oddities of the generated base,
    which an overlay would mend.

    Raises:
        CostctlError: E205 where the path holds no price files.
    """
    findings = _folder(path, today or datetime.now(UTC).date()) if path.is_dir() else _own(path)
    counts = Counter(finding.severity for finding in findings)
    rows = (
        (finding.severity, _place(finding.problem), finding.problem.key, finding.problem.message)
        for finding in sorted(
            findings, key=lambda finding: (finding.severity, finding.problem.path, finding.problem.line or 0)
        )
    )
    return Report(
        command="prices lint",
        totals={"error_count": counts["error"], "warning_count": counts["warning"]},
        tables={"findings": Table.of("findings", COLUMNS, rows)},
        provenance={"path": path.name},
    )


def _place(problem: Problem) -> str:
    return ":".join(str(part) for part in (problem.path, problem.line, problem.column) if part)


def _own(path: Path) -> list[Finding]:
    try:
        book = load_book(path)
    except CostctlError as error:
        faults = error.problems or (Problem(path.name, None, None, "", error.message),)
        return [Finding("error", fault) for fault in faults]
    return list(own_findings(book))


def own_findings(book: PriceBook) -> Iterator[Finding]:
    """What is wrong with rates of the user's own that could be read."""
    own = book.own
    for name, prices in own.models.items():
        line, column = own.places.get(f"models.{name}", (None, None))
        for finding in _suspicious(own.file, line, f"models.{name}", prices, "error"):
            yield finding._replace(problem=finding.problem._replace(column=column))
    for pattern, message in discounts.faults(own.discounts, book.model_keys()):
        line, column = own.places.get(f"discounts.{pattern}", (None, None))
        yield Finding("error", Problem(own.file, line, column, f"discounts.{pattern}", message))


def own_doubts(book: PriceBook) -> list[Warning]:
    """The errors among them, for a command that uses the rates: told, and used as they stand."""
    return [
        Warning(
            "W304",
            f"your own rates, {_place(finding.problem)}: {finding.problem.key}: {finding.problem.message}",
            "all of them: costctl prices lint FILE",
        )
        for finding in own_findings(book)
        if finding.severity == "error"
    ]


def _folder(folder: Path, today: date) -> list[Finding]:
    base, overlays = sorted((folder / "base").glob("*.jsonl")), sorted((folder / "overlays").glob("*.yaml"))
    if not base:
        raise CostctlError("E205", f"no price files in {folder}", "a price folder has base/*.jsonl and overlays/*.yaml")
    findings = [finding for path in base for finding in _base(path)]
    for path in overlays:
        findings += _overlay(path, today)
    if any(finding.severity == "error" for finding in findings):
        return findings  # rates of a faulty file cannot be compared
    return findings + list(_overlaps(folder))


def _base(path: Path) -> Iterator[Finding]:
    for number, text in enumerate(path.read_bytes().splitlines()[1:], start=2):
        model = orjson.loads(text)
        yield from _unknown(path.name, number, model["id"], model.keys() - BASE_KEYS)
        for line in model["rates"]:
            yield from _line(path.name, number, model["id"], line, "warning")


def _overlay(path: Path, today: date) -> Iterator[Finding]:
    """Entries with their lines; `yaml.compose` knows where each stands."""
    root = yaml.compose(path.read_text("utf-8"), yaml.SafeLoader)
    entries = yaml.safe_load(path.read_text("utf-8")) or []
    if not isinstance(root, yaml.SequenceNode):
        yield Finding("error", Problem(path.name, 1, None, "", "is not a list of entries"))
        return
    for node, entry in zip(root.value, entries, strict=True):
        line = node.start_mark.line + 1
        if not isinstance(entry, dict):
            yield Finding("error", Problem(path.name, line, None, "", "is not a mapping"))
            continue
        key = str(entry.get("model") or entry.get("models") or "")
        yield from _unknown(path.name, line, key, entry.keys() - (REGION_KEYS if "multiply" in entry else ENTRY_KEYS))
        yield from _sourced(path.name, line, key, entry, today)
        for rate_node, rate in zip(_rate_nodes(node), entry.get("rates", []), strict=True):
            yield from _line(path.name, rate_node.start_mark.line + 1, key, rate, "error")


def _rate_nodes(node: yaml.MappingNode) -> list[yaml.Node]:
    return next((list(value.value) for key, value in node.value if key.value == "rates"), [])


def _unknown(file: str, line: int, key: str, names: Iterable[str]) -> Iterator[Finding]:
    for name in sorted(names):
        yield Finding("error", Problem(file, line, None, key, f"unknown key {name!r}"))


def _sourced(file: str, line: int, key: str, entry: dict[str, Any], today: date) -> Iterator[Finding]:
    if not entry.get("source"):
        yield Finding("error", Problem(file, line, None, key, "has no source"))
    checked = entry.get("checked_on")
    if not isinstance(checked, date):
        yield Finding("error", Problem(file, line, None, key, "has no checked_on"))
    elif (today - checked).days > STALE_DAYS:
        message = f"was checked {(today - checked).days} days ago"
        yield Finding("warning", Problem(file, line, None, key, message))


def _line(file: str, number: int, key: str, line: dict[str, Any], severity: str) -> Iterator[Finding]:
    yield from _unknown(file, number, key, line.keys() - RATE_KEYS)
    if line.get("tier", "standard") not in SERVICE_TIERS:
        yield Finding("error", Problem(file, number, None, key, f"unknown tier {line['tier']!r}"))
    prices: dict[str, Decimal] = {}
    for unit in (*TOKEN_UNITS, *FEE_UNITS):
        if unit in line:
            try:
                prices[unit] = Decimal(str(line[unit]))
            except InvalidOperation:
                yield Finding("error", Problem(file, number, None, key, f"{unit} is not a number"))
    if any(not price.is_finite() or price < 0 for price in prices.values()):
        yield Finding("error", Problem(file, number, None, key, "has a price that is below 0 or no number"))
    elif prices and not any(prices.values()) and not line.get("free") and not key.endswith(":free"):
        yield Finding("error", Problem(file, number, None, key, "costs 0 and is not marked free: true"))
    else:
        yield from _suspicious(file, number, key, prices, severity)


def _suspicious(file: str, line: int | None, key: str, prices: dict[str, Decimal], severity: str) -> Iterator[Finding]:
    fresh = prices.get("input")
    if fresh is None:
        return
    if prices.get("cache_read", fresh) > fresh:
        yield Finding(severity, Problem(file, line, None, key, "cache_read costs more than input"))
    if 0 < prices.get("output", Decimal(0)) < fresh:
        yield Finding("warning", Problem(file, line, None, key, "output costs less than input"))


def _overlaps(folder: Path) -> Iterator[Finding]:
    book = load_book(folder=folder)
    for key in book.model_keys():
        for one, other in combinations(book.rates([key]), 2):
            if overlap(one, other):
                message = f"two {one.service_tier} rates hold at once ({one.source}; {other.source})"
                yield Finding("error", Problem(folder.name, None, None, key, message))


def overlap(one: Rate, other: Rate) -> bool:
    """Whether some request would meet both rates."""
    first = max(one.from_at or datetime.min, other.from_at or datetime.min)  # noqa: DTZ901
    last = min(one.to_at or datetime.max, other.to_at or datetime.max)  # noqa: DTZ901
    days = set(one.weekdays or range(1, 8)) & set(other.weekdays or range(1, 8))
    over = max(one.input_over_tokens, other.input_over_tokens)
    upto = min(rate.input_upto_tokens or 10**12 for rate in (one, other))
    return (
        one.service_tier == other.service_tier
        and first < last
        and bool(days)
        and max(one.minute_from, other.minute_from) < min(one.minute_to, other.minute_to)
        and over < upto
    )
