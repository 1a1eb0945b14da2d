"""The exported decision: its file, and the code that it is made of."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

from costctl.export.characters import letters, word_parts
from costctl.export.decision import decision_file
from costctl.policy.load import parse_policy
from costctl.policy.schema import Policy
from costctl.prices.book import load_book
from costctl.tiers.rules import load_rules
from tests.policy.example import EXAMPLE
from tests.support import ROOT

PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
ASKED = "Hola! quiero un itinerario de 5 días por Pucón, Villarrica y Temuco 🌋"


def file_of(policy: Policy, digest: str = "0" * 64) -> str:
    return decision_file(policy, digest, load_rules().content, load_book())


def loaded(text: str) -> ModuleType:
    """The file as a module that nothing has registered, as gateways load it."""
    module = ModuleType("costctl_route_alone")
    exec(compile(text, "costctl_route.py", "exec"), module.__dict__)
    return module


def pythons() -> list[str]:
    """Every Python 3.9 or newer of this machine that runs."""
    roots = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep)]
    roots += sorted((Path.home() / ".pyenv" / "versions").glob("*/bin"))
    found = {}
    for version in PYTHONS:
        for path in (root / f"python{version}" for root in roots):
            if version not in found and path.exists():
                runs = subprocess.run([path, "-c", "print(1)"], capture_output=True, text=True)
                if runs.stdout.strip() == "1":
                    found[version] = str(path)
    return [sys.executable, *found.values()]


@pytest.fixture(scope="module")
def example() -> Policy:
    return parse_policy(EXAMPLE, "policy.yaml")


def test_the_same_policy_gives_the_same_bytes(example: Policy) -> None:
    assert file_of(example) == file_of(example)
    assert file_of(example, "a" * 64) != file_of(example, "b" * 64)
    head = file_of(example, "a" * 64).splitlines()[:3]
    assert "policy aaaaaaaaaaaaaaaa, costctl " in head[1]
    assert head[2] == "# generated - edit the policy, not this file"


def test_every_python_gives_the_same_decision(example: Policy, tmp_path: Path) -> None:
    path = tmp_path / "costctl_route.py"
    path.write_text(file_of(example), "utf-8")
    body = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": ASKED}]})
    run = [subprocess.run([one, "-I", "-W", "error", path], input=body, capture_output=True, text=True, cwd=tmp_path)
           for one in pythons()]  # fmt: skip
    assert all(not one.stderr for one in run)
    assert len({one.stdout for one in run}) == 1
    found = json.loads(run[0].stdout)
    assert (found["tier"], found["models"], found["rule"]) == ("C", ["openai/gpt-4o"], "long history or many places")
    assert found["fallbacks"] == ["B", "A"]
    assert found["unknown_fields"] == ["endpoint"]
    assert found["estimated_fields"] == ["input_tokens"]


def test_the_runtime_is_of_the_standard_library() -> None:
    for path in [*(ROOT / "costctl/export/runtime").glob("*.py"), ROOT / "costctl/tiers/form.py"]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"), feature_version=(3, 9))):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                is_own = name.startswith("costctl.export.runtime.") or name == "costctl.tiers.form"
                assert is_own or name.partition(".")[0] in sys.stdlib_module_names, f"{path}: {name}"


@pytest.mark.parametrize(("pattern", "runs"), [(r"^[\p{L}\p{N}]$", letters()), (r"^\w$", word_parts())])
def test_characters_are_those_of_the_engine(pattern: str, runs: list[list[int]]) -> None:
    codes = [code for code in range(0x80, 0x110000) if not 0xD800 <= code < 0xE000]
    is_one = pl.Series([chr(code) for code in codes]).str.contains(pattern).to_list()
    ours = {code for first, last in runs for code in range(first, last + 1)}
    assert {code for code, is_in in zip(codes, is_one, strict=True) if is_in} == ours
