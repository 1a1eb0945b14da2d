"""Two runs beside each other: an earlier answer of `simulate --output json`, read strictly, and the one of now."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from costctl.errors import CostctlError, ExitCode
from costctl.policy.units import shown
from costctl.report import SCHEMA_VERSION, Report, Table, Value, Warning, unit_of
from costctl.strict_json import strict_json

COLUMNS = ("metric", "base", "now", "change")
SIZE_MAX = 64 * 2**20
LARGEST = 10**18
HINT = "write one: costctl simulate LOG --policy policy.yaml --output json -o run.json"
# What must be told of a run for it to be compared, and what differs without making it another question.
NEEDED = ("calls_digest", "price_set", "seed", "policy", "costctl")
TOLD = {"price_set": "prices", "seed": "seed", "costctl": "version"}
_AMOUNT = re.compile(r"-?[0-9]{1,26}\.[0-9]{1,12}")


@dataclass(frozen=True)
class Earlier:
    """Totals and provenance of an earlier run; its tables as they were written."""

    file: str
    totals: Mapping[str, Value]
    made: Mapping[str, Any]
    tables: Mapping[str, Any]

    def report(self) -> Report:
        """The run as the report that it was, without warnings and tables.

        Raises:
            CostctlError: E430 where the standing of its figures is not told.
        """
        for name in ("status", "not_computed"):
            told = _mapping(Path(self.file), self.made.get(name), f"provenance.{name}")
            if not all(isinstance(text, str) for text in told.values()):
                raise _refused(Path(self.file), f"provenance.{name} holds more than text")
        untold = [name for name in self.totals if name not in self.made["status"] and not is_end(name)]
        if untold:
            raise _refused(Path(self.file), f"provenance.status does not tell of {untold[0]}")
        return Report("simulate", self.totals, {}, (), self.made)

    def rows(self, table: str, columns: Sequence[str]) -> list[dict[str, Value]]:
        """The rows of one of its tables, of them these columns; none where it has no such table.

        Raises:
            CostctlError: E430 where a row lacks one or holds another kind of value.
        """
        path, rows = Path(self.file), self.tables.get(table, [])
        if not isinstance(rows, list):
            raise _refused(path, f"tables.{table} is no list")
        found = []
        for row in rows:
            missing = [name for name in columns if name not in _mapping(path, row, f"a row of tables.{table}")]
            if missing:
                raise _refused(path, f"a row of tables.{table} has no {', '.join(missing)}")
            found.append({name: _figure(path, name, row[name], f"tables.{table}") for name in columns})
        return found


def read_run(path: Path) -> Earlier:
    """The run that a file holds.

    Raises:
        CostctlError: E430 with what is wrong with the file.
    """
    body = _mapping(path, _parsed(path), "")
    if body.get("schema_version") != SCHEMA_VERSION or isinstance(body.get("schema_version"), bool):
        raise _refused(path, f"schema_version is {shown(body.get('schema_version'))}, this reads {SCHEMA_VERSION}")
    if body.get("command") != "simulate":
        raise _refused(path, f"it is an answer of {shown(body.get('command'))}")
    made = _mapping(path, body.get("provenance"), "provenance")
    missing = [name for name in NEEDED if not isinstance(made.get(name), str | int)]
    if missing:
        raise _refused(path, f"provenance does not tell {', '.join(missing)}")
    totals = _mapping(path, body.get("totals"), "totals")
    figures = {name: _figure(path, name, value) for name, value in totals.items()}
    return Earlier(str(path), figures, made, _mapping(path, body.get("tables", {}), "tables"))


def is_end(name: str) -> bool:
    """Whether a total is one end of an estimate."""
    return name.endswith(("_low", "_high"))


def compared(report: Report, earlier: Earlier) -> Report:
    """The report with its table `compare`: every total of both runs and its change.

    Raises:
        CostctlError: E431 where the earlier run is of other calls: then a change is not the policy's.
    """
    then, now = earlier.made, report.provenance
    if then["calls_digest"] != now["calls_digest"]:
        count, old = report.totals["call_count"], earlier.totals.get("call_count")
        raise CostctlError(
            "E431",
            f"{earlier.file} is a run over another log (calls: {old}, {then.get('logs')}; of this one: {count})",
            "replay both policies over the same log",
        )
    differs = _differences(report, earlier)
    names = [*report.totals, *(name for name in earlier.totals if name not in report.totals)]
    rows = [(name, *change_of(earlier.totals.get(name), report.totals.get(name))) for name in names]
    return replace(
        report,
        tables={**report.tables, "compare": Table.of("compare", COLUMNS, rows)},
        warnings=(*report.warnings, *_warned(earlier, differs)),
        provenance={
            **now,
            "compared_to": {"file": earlier.file, **{name: then[name] for name in NEEDED}, "differs": differs},
        },
    )


def _parsed(path: Path) -> Any:
    try:
        if path.stat().st_size > SIZE_MAX:
            raise _refused(path, f"over {SIZE_MAX // 2**20} MiB")
        text = path.read_bytes().decode("utf-8")
        return strict_json(text, parse_float=Decimal)
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from error
    except ValueError as error:
        raise _refused(path, f"not JSON: {error}") from error


def _refused(path: Path, reason: str) -> CostctlError:
    return CostctlError("E430", f"{path} is no run of costctl simulate: {reason}", HINT, ExitCode.INPUT)


def _mapping(path: Path, value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _refused(path, f"{name or 'the answer'} is no object")
    return value


def _figure(path: Path, name: str, value: Any, where: str = "totals") -> Value:
    """A value as it was before it was written: dollars as decimals, milliseconds as numbers."""
    unit = unit_of(name)
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool) and -LARGEST <= value <= LARGEST
    if value is None or (unit == "text" and isinstance(value, str | bool) and not _AMOUNT.fullmatch(str(value))):
        return value
    if isinstance(value, str) and unit in {"usd", "ms", "text"} and _AMOUNT.fullmatch(value):
        return float(value) if unit == "ms" else Decimal(value)
    if not is_number or unit in {"usd", "ms"} or (unit == "count" and not isinstance(value, int)):
        raise _refused(path, f"{where}.{name} is not what a run writes: {shown(value)}")
    return value if isinstance(value, int) else float(value)


def change_of(base: Value, now: Value) -> tuple[Value, Value, Value]:
    """Both values and now - base, which is None where one of them is no number."""
    if isinstance(base, str | bool) or isinstance(now, str | bool) or base is None or now is None:
        return base, now, None
    change = Decimal(str(now)) - Decimal(str(base))
    if isinstance(base, int) and isinstance(now, int):
        return base, now, int(change)
    return base, now, change if isinstance(base, Decimal) or isinstance(now, Decimal) else float(change)


def _differences(report: Report, earlier: Earlier) -> list[str]:
    """What else than the policy differs: then not all of a change is the policy's."""
    said = [
        f"{title} {earlier.made[name]}, now {report.provenance[name]}"
        for name, title in TOLD.items()
        if earlier.made[name] != report.provenance[name]
    ]
    then, now = (made.get("as_target") for made in (earlier.made, report.provenance))
    if then != now:
        said.append(f"carried out {_by(then)}, now {_by(now)}")
    bases = [totals.get("baseline_cost_usd") for totals in (earlier.totals, report.totals)]
    if bases[0] != bases[1]:
        said.append("another baseline")
    return said


def _by(target: object) -> str:
    return "as it is written" if target is None else f"by {target}"


def _warned(earlier: Earlier, differs: Sequence[str]) -> list[Warning]:
    if not differs:
        return []
    message = f"{earlier.file} rests on more than another policy: {'; '.join(differs)}"
    return [Warning("W220", message, "run it again under the same conditions to see what the policy alone changes")]
