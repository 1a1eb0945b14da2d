"""The exported launch script and calibration in the real RouteLLM, whose learned parts are stood for."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import pytest

from costctl.export import routellm
from tests.export.test_targets import given
from tests.policy.example import EXAMPLE
from tests.products.asking import Driver, driven
from tests.products.installing import python_of

PROMPTS = [f"prompt {number}" for number in range(400)]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    folder = tmp_path_factory.mktemp("routellm")
    for path, text in routellm.export(given(EXAMPLE)).files.items():
        (folder / path).write_text(text, "utf-8")
    with driven(python_of("routellm"), "routellm_split.py", folder, {"OPENAI_API_KEY": "sk-loopback"}) as driver:
        yield driver


def test_the_server_takes_the_flags_of_the_launch_script(product: Driver) -> None:
    start = routellm.export(given(EXAMPLE)).files["start.sh"].replace("${PORT:-6060}", "6060")
    flags = shlex.split(start[start.index("exec ") :].replace("\\\n", " "))[4:]
    said = product.ask({"flags": flags})
    assert (said["strong_model"], said["routers"], said["config"]) == ("openai/gpt-4o", ["mf"], "config.yaml")
    assert said["weak_model"] == "openrouter/meta-llama/llama-3.1-8b-instruct"


def test_the_thresholds_at_the_ends_send_all_to_one_side(product: Driver) -> None:
    ask = {"router": "random", "prompts": PROMPTS}
    assert product.ask({**ask, "model": "router-random-0"}) == {"strong": 400, "weak": 0}
    assert product.ask({**ask, "model": "router-random-1"}) == {"strong": 0, "weak": 400}


def test_a_calibrated_threshold_sends_about_the_share(product: Driver) -> None:
    model = product.ask({"prompts": PROMPTS, "share": 0.15})
    assert model.startswith("router-random-0.")
    sides = product.ask({"router": "random", "model": model, "prompts": PROMPTS})
    # Drawn anew: 60 of 400 are expected, and fewer than 20 or more than 110 are six deviations away.
    assert 20 <= sides["strong"] <= 110
