"""The loss report of an export and a simulation as its target say the same, from one record."""

from __future__ import annotations

import pytest

from costctl.export.as_target import carried_out
from costctl.export.litellm_lanes import fallback_lane
from costctl.export.targets import target_of
from costctl.policy.targets import SIMULATED
from tests.export.test_targets import POLICIES, given


@pytest.mark.parametrize("text", [POLICIES["example"], POLICIES["more"]], ids=["example", "more"])
@pytest.mark.parametrize("name", SIMULATED)
def test_they_say_the_same(name: str, text: str) -> None:
    resolved = given(text)
    losses = {one.part: one for one in target_of(name).export(resolved).losses}
    fallback = fallback_lane(resolved, is_plugin=name == "litellm-plugin")
    assert fallback is not None
    changes = [one for one in carried_out(resolved, name)[1] if one.how != "not simulated"]
    assert len(changes) >= 5
    for change in changes:
        assert losses[change.part].kind == ("dropped" if change.how == "dropped" else losses[change.part].kind)
        assert losses[change.part].kind != "expressed"
        assert change.instead.removesuffix(f"tier {fallback.name}") in losses[change.part].says, change.part


@pytest.mark.parametrize("name", SIMULATED)
def test_what_an_export_drops_no_simulation_carries_out(name: str) -> None:
    resolved = given(POLICIES["example"])
    dropped = {one.part for one in target_of(name).export(resolved).losses if one.kind == "dropped"}
    told = {change.part: change.how for change in carried_out(resolved, name)[1]}
    assert dropped <= told.keys()
    assert {part for part, how in told.items() if how == "dropped"} <= dropped
