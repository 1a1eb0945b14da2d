"""The exported route before the typed models of Cloudflare's official client, and as that client sends it."""

from __future__ import annotations

import json
from pathlib import Path

from costctl.export import cloudflare
from tests.export.test_targets import POLICIES, given
from tests.products.asking import driven
from tests.products.installing import python_of


def test_every_element_is_one_of_its_models_and_is_sent_as_it_is(tmp_path: Path) -> None:
    for name in ("example", "more"):
        folder = tmp_path / name
        folder.mkdir()
        text = cloudflare.export(given(POLICIES[name])).files["route.json"]
        (folder / "route.json").write_text(text, "utf-8")
        with driven(python_of("cloudflare"), "cloudflare_route.py", folder, {}) as driver:
            said = driver.ask({})
        assert said["wrong"] == []
        assert said["body"] == json.loads(text)


def test_a_model_element_without_its_timeout_is_refused_by_both(tmp_path: Path) -> None:
    text = cloudflare.export(given(POLICIES["example"])).files["route.json"]
    (tmp_path / "route.json").write_text(text, "utf-8")
    route = json.loads(text)
    broken = next(one for one in route["elements"] if one["type"] == "model")
    del broken["properties"]["timeout"]
    with driven(python_of("cloudflare"), "cloudflare_route.py", tmp_path, {}) as driver:
        assert driver.ask({"elements": route["elements"]})["wrong"] == [broken["id"]]
    assert cloudflare.faults({"route.json": json.dumps(route)})
