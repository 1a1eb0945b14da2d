"""claude-code-router as a target: providers, a scenario for each lane, and files that fit together."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from costctl.export import claude_code_router as target
from costctl.export import claude_code_router_v3 as target_v3
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


DRAWN = """version: 1
tiers:
  A: {models: [gpt-4o-mini], timeout_s: 6}
  B: {models: [mistral/mistral-medium-latest, gpt-4o], select: weights, weights: [3, 1], timeout_s: 12}
fallbacks: {B: [A]}
"""
# What router.js asks for, with a decision of ours in the place of Python: as many requests as are drawn.
DRAWING = """
const Module = require("node:module");
const { EventEmitter } = require("node:events");
const { PassThrough } = require("node:stream");
const spawn = () => {
  const child = new EventEmitter();
  child.stdout = new PassThrough(); child.stdin = new PassThrough();
  for (const one of [child, child.stdout, child.stdin]) { one.unref = () => {}; one.ref = () => {}; }
  const models = ["mistral/mistral-medium-latest", "gpt-4o"];
  child.stdin.on("data", () => child.stdout.write(`${JSON.stringify({ tier: "B", models })}\\n`));
  return child;
};
const load = Module._load;
Module._load = (name, ...more) => (name === "node:child_process" ? { spawn } : load(name, ...more));
const router = require(process.argv[1]);
(async () => {
  const seen = [];
  for (let at = 0; at < 100; at += 1) {
    const req = { body: { model: "m", messages: [] }, tokenCount: 1 };
    const asked = await router(req);
    seen.push([asked, req.scenarioType]);
  }
  console.log(JSON.stringify(seen));
})();
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_a_model_that_was_drawn_and_fails_is_not_asked_again(tmp_path: Path) -> None:
    files = target.export(given(DRAWN)).files
    (tmp_path / "router.js").write_text(files["router.js"], "utf-8")
    made = subprocess.run(["node", "-e", DRAWING, tmp_path / "router.js"], check=True, capture_output=True, timeout=60)
    drawn = {tuple(one) for one in json.loads(made.stdout)}
    fallback = json.loads(files["config.json"])["fallback"]
    assert {asked: fallback[scenario] for asked, scenario in drawn} == {
        "mistral,mistral-medium-latest": ["openai,gpt-4o", "openai,gpt-4o-mini"],
        "openai,gpt-4o": ["mistral,mistral-medium-latest", "openai,gpt-4o-mini"],
    }


def test_fallbacks_that_ask_the_model_that_failed_are_a_fault() -> None:
    files = dict(target.export(given(DRAWN)).files)
    config = json.loads(files["config.json"])
    config["fallback"]["tier-b_2"] = config["fallback"]["tier-b"]
    files["config.json"] = json.dumps(config)
    assert target.faults(files) == ["fallback.tier-b_2: asks openai,gpt-4o again, which has failed"]


@pytest.mark.parametrize("one", [target, target_v3])
def test_the_loss_report_names_a_timeout_of_the_client_only_where_it_is_written(one: Any) -> None:
    timed = one.export(given(TIMED))
    text = TIMED.replace("fallbacks", "specialists: {code: {models: [gpt-4.1]}}\nfallbacks")
    part = one.export(given(text))
    said = [next(loss.says for loss in made.losses if loss.part == "tiers.timeout_s") for made in (timed, part)]
    assert "API_TIMEOUT_MS, the sum of the longest chain" in said[0]
    assert "API_TIMEOUT_MS is not written" in said[1] and "the chains of code," in said[1]
    assert ["API_TIMEOUT_MS" in "".join(made.files.values()) for made in (timed, part)] == [True, False]


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
