"""`schema.json` is what the models say, and editors may rely on it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from costctl.cli import run
from costctl.policy.figures import METRICS
from costctl.policy.generate import PAGE_FILE, page_text, schema_text
from costctl.policy.load import SCHEMA_FILE
from costctl.policy.reference import meanings
from costctl.policy.source import read_source
from costctl.policy.template import starter_policy
from tests.policy.example import EXAMPLE, parsed, refused

VALIDATOR = Draft202012Validator(json.loads(SCHEMA_FILE.read_text("utf-8")))


def plain(text: str) -> Any:
    """The values of a file as JSON knows them."""
    return json.loads(json.dumps(read_source(text, "x").values, default=float))


def test_the_file_is_current() -> None:
    """After a change of the models: python -m costctl.policy.generate."""
    assert SCHEMA_FILE.read_text("utf-8") == schema_text()


def test_the_page_is_current() -> None:
    assert PAGE_FILE.read_text("utf-8") == page_text()


def test_the_command_writes_them(tmp_path: Path) -> None:
    target, page = tmp_path / "schema.json", tmp_path / "policy.md"
    command = [sys.executable, "-W", "error", "-m", "costctl.policy.generate", str(target), str(page)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "wrote schema.json\nwrote policy.md\n"
    assert (target.read_text("utf-8"), page.read_text("utf-8")) == (schema_text(), page_text())


def test_every_key_has_a_meaning_and_no_meaning_is_of_another() -> None:
    parts = {"Policy": VALIDATOR.schema, **VALIDATOR.schema["$defs"]}
    for name, told in meanings().items():
        assert told.keys() <= parts[name]["properties"].keys(), name
    for name, part in parts.items():
        for key, value in part.get("properties", {}).items():
            assert key.endswith("_not") or value["description"], f"{name}.{key}"


def test_the_page_names_every_key_field_and_figure() -> None:
    text = PAGE_FILE.read_text("utf-8")
    for part in (VALIDATOR.schema, *VALIDATOR.schema["$defs"].values()):
        for key in part.get("properties", {}):
            assert key.endswith("_not") or f"`{key}`" in text, key
    for figure in METRICS:
        assert f"`{figure}`" in text
    assert "`24h`" in text
    assert "| duration |" in text


def test_a_user_gets_the_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "schema"]) == 0
    assert capsys.readouterr().out == schema_text()
    assert run(["policy", "schema", "-o", str(tmp_path / "policy.schema.json")]) == 0
    assert (tmp_path / "policy.schema.json").read_text("utf-8") == schema_text()


def test_it_is_a_json_schema() -> None:
    Draft202012Validator.check_schema(VALIDATOR.schema)


@pytest.mark.parametrize("text", [EXAMPLE, "version: 1", starter_policy(["a", "b"])])
def test_what_is_read_is_valid(text: str) -> None:
    assert list(VALIDATOR.iter_errors(plain(text))) == []
    assert parsed(text).version == 1


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("serve_min", "serve_mim"), ("ttl: 24h", "ttl: 24"), ("45%", "45 percent"), ("select: first", "select: fist"),
        ("{intent: lead", "{inent: lead"), ("'>=3'", "'=>3'"), ("version: 1", "version: 2"), ("8k", "8K"),
        ("output_language_not", "output_langage_not"), ("has_code: true", "has_code: 1"), ("to: local", "too: local"),
        ("{user_profile: free, max", "{user_profle: free, max"), ("control: 50%", "control: 50"), ("B: [A]", "B: A"),
        ("usd_per_day: 120", "usd_per_day: '120'"), ("max: 1,", ""), ("months: [1, 2]", "months: [1, 13]"),
    ],
)  # fmt: skip
def test_what_is_refused_is_not_valid(right: str, wrong: str) -> None:
    """One slip in the example, and both the editor and the reader say so."""
    assert right in EXAMPLE
    text = EXAMPLE.replace(right, wrong, 1)
    assert list(VALIDATOR.iter_errors(plain(text))) != []
    assert refused(text).code == "E401"


def test_it_does_not_offer_what_a_file_may_not_hold() -> None:
    text = SCHEMA_FILE.read_text("utf-8")
    assert '"null"' not in text
    assert "x-ref" not in text
    assert "timeout_us" not in text
