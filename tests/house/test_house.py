"""Rules of the house that no linter knows."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from costctl.audit.findings import PAGES
from costctl.report import UNITS, unit_of
from costctl.request import COLUMNS
from tests.support import ROOT

SOURCES = sorted((ROOT / "costctl").rglob("*.py"))
HEAVY = ("duckdb", "polars", "sklearn", "tiktoken", "numpy", "yaml", "pydantic", "rich")


def test_help_imports_nothing_heavy() -> None:
    code = f"import sys; from costctl.cli.app import app; print([m for m in {HEAVY} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_parent_of_workers_imports_no_engine_of_arrays() -> None:
    """Until all is read: its imports would take the processor from the workers that start at that time."""
    code = "import sys; import costctl.audit.compute; print([m for m in ('polars', 'numpy') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_help_answers_at_once() -> None:
    """0.3 s is promised; time of the processor, as other tests run beside this one, and the best of five."""
    times = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "costctl", "--help"], capture_output=True, check=True, cwd=ROOT)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) <= 0.3


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is(path: Path) -> None:
    text = path.read_text("utf-8")
    if path.name != "__init__.py" or text.strip():
        assert text.lstrip().startswith('"""'), "a module begins with its docstring"
    assert "TODO" not in text
    assert "except Exception" not in text or path.match("cli/__init__.py")


def test_money_is_never_a_float() -> None:
    for path in SOURCES:
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            assert not re.search(r"float\([^)]*_usd", line), f"{path}:{number}"


def test_columns_end_in_their_unit() -> None:
    numbers = [column for column in COLUMNS if column.type in {"BIGINT"} and column.name != "replay_offset_ms"]
    assert all(unit_of(column.name) in UNITS for column in numbers)
    assert len({column.name for column in COLUMNS}) == len(COLUMNS)


def test_every_page_of_sql_is_used() -> None:
    text = "\n".join(path.read_text("utf-8") for path in SOURCES)
    used = {f"{item.name}.sql" for item in PAGES} | set(re.findall(r'"(\w+\.sql)"', text)) | {"by_token_class.sql"}
    for path in sorted((ROOT / "costctl").rglob("*.sql")):
        assert path.name in used, path


def test_the_shared_folder_of_prices_is_in_the_wheel() -> None:
    assert 'pricing = "costctl/_pricing"' in (ROOT / "pyproject.toml").read_text("utf-8")


# Codes that several files rightly give: they say the same thing of different commands.
SHARED_WARNINGS = {"W160", "W201", "W213"}


def test_a_warning_code_means_one_thing() -> None:
    places: dict[str, set[str]] = {}
    for path in SOURCES:
        for code in re.findall(r'"(W[0-9]{3})"', path.read_text("utf-8")):
            places.setdefault(code, set()).add(path.name)
    assert {code: files for code, files in places.items() if len(files) > 1 and code not in SHARED_WARNINGS} == {}


# What is counted, and may be one.
COUNTED = "answer|attempt|call|day|file|hit|label|line|model|prompt|record|request|row|score"


def test_one_is_never_written_as_many() -> None:
    """A count with its words is made by `report.counted`, which writes 1 call and 2 calls."""
    for path in SOURCES:
        found = re.findall(rf"\{{[^{{}}]*:,\}} (?:\w+ )?(?:{COUNTED})s\b", path.read_text("utf-8"))
        assert not found, path
