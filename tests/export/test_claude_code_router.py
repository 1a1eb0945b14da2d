"""claude-code-router as a target: providers, a scenario for each lane, and files that fit together."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from costctl.export import claude_code_router as target
from tests.export.test_targets import given
from tests.policy.example import EXAMPLE

TIMED = """version: 1
tiers:
  A: {models: [gpt-4o-mini], timeout_s: 6}
  C: {models: [gpt-4o, gpt-4.1], timeout_s: 18}
fallbacks: {C: [A]}
"""


def test_each_lane_has_the_fallbacks_of_its_chain() -> None:
    config = json.loads(target.export(given(EXAMPLE)).files["config.json"])
    assert config["fallback"]["tier-c"] == [
        "openai,gpt-4o-mini", "anthropic,claude-3-5-haiku-latest", "openrouter,meta-llama/llama-3.1-8b-instruct",
    ]  # fmt: skip
    assert "tier-a" not in config["fallback"]
    engine = next(one for one in config["Providers"] if one["name"].startswith("self"))
    assert engine["api_base_url"] == "${LLAMA_3_1_8B_BASE_URL}/chat/completions"
    assert "API_TIMEOUT_MS" not in config  # the specialists have none


def test_the_client_waits_for_the_longest_chain_in_milliseconds() -> None:
    files = dict(target.export(given(TIMED)).files)
    assert '"API_TIMEOUT_MS": 42000' in files["config.json"]
    files["config.json"] = files["config.json"].replace("42000", "42")
    assert target.faults(files) == ["API_TIMEOUT_MS: must be a whole number from 1000 to 1e+09, not 42"]


def test_a_file_that_is_missing_is_named() -> None:
    files = dict(target.export(given(TIMED)).files)
    del files["costctl_route.py"]
    assert target.faults(files) == ["costctl_route.py: is missing"]


def test_installing_keeps_what_was_there_and_makes_the_path_whole(tmp_path: Path) -> None:
    home, made = tmp_path / "ho&me", tmp_path / "made"
    place = home / ".claude-code-router"
    place.mkdir(parents=True)
    made.mkdir()
    (place / "config.json").write_text("{}", "utf-8")
    for name, text in target.export(given(TIMED)).files.items():
        (made / name).write_text(text, "utf-8")
    subprocess.run(["sh", made / "install.sh"], check=True, env={"PATH": os.environ["PATH"], "HOME": str(home)})
    config = json.loads((place / "config.json").read_text("utf-8"))
    assert config["CUSTOM_ROUTER_PATH"] == str(place / "router.js")
    assert config["Providers"][0]["api_key"] == "$OPENAI_API_KEY"
    assert (place / "config.json.before-costctl").read_text("utf-8") == "{}"
