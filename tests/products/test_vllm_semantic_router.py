"""The exported configuration before the validator of vllm-sr, which knows what names refer to."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from costctl.export import vllm_semantic_router
from tests.export.test_targets import POLICIES, given
from tests.products.installing import place_of


def validated(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What the validator says of a configuration."""
    path = folder / "config.yaml"
    path.write_text(text, "utf-8")
    command = [place_of("vllm-semantic-router") / "bin" / "vllm-sr", "config", "validate", "--config", path]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env={"HOME": str(folder)}, check=False)


def exported(name: str) -> str:
    """What is exported for one of the policies."""
    return vllm_semantic_router.export(given(POLICIES[name])).files["config.yaml"]


@pytest.mark.parametrize("name", ["example", "more"])
def test_the_export_is_valid(name: str, tmp_path: Path) -> None:
    found = validated(exported(name), tmp_path)
    assert found.returncode == 0, found.stdout + found.stderr
    text = exported(name)
    assert f"Decisions: {text.count('  priority: ')} total" in " ".join(found.stdout.split())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("reliability:", "reliabilty:"),
        ("- model: openai-gpt-4o\n", "- model: openai-gpt4o\n"),
        ("name: over-2000-tokens", "name: over-200-tokens"),
    ],
)
def test_faults_that_ours_tells_are_faults_to_it(old: str, new: str, tmp_path: Path) -> None:
    text = exported("example").replace(old, new, 1)
    assert vllm_semantic_router.faults({"config.yaml": text})
    assert validated(text, tmp_path).returncode == 1


def test_it_accepts_a_timeout_without_a_unit_that_ours_refuses(tmp_path: Path) -> None:
    text = exported("example").replace("total_timeout: 72s", "total_timeout: 36 parsecs")
    assert vllm_semantic_router.faults({"config.yaml": text})
    assert validated(text, tmp_path).returncode == 0
