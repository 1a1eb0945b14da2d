"""LiteLLM's automatic router: our decision as its classifier (exact), or its own scorer fed with ours (native)."""

from __future__ import annotations

from typing import Any

from costctl.export.litellm_lanes import SLOTS, fallback_lane, group_of, number_of, written_lanes
from costctl.export.litellm_native import native_of
from costctl.export.resolved import Lane, Resolved

AUTO = "auto"
"""The model that applications ask for so that the policy decides."""
MODULE, PLUGIN = "costctl_route", "costctl_tier"
PLUGIN_TIMEOUT_MS = 3_000


def auto_entry(given: Resolved, *, is_plugin: bool) -> dict[str, Any]:
    """The entry of `model_list` that decides; the policy has a lane that can be written."""
    fallback = fallback_lane(given, is_plugin=is_plugin)
    assert fallback is not None
    config = _plugin(given, fallback) if is_plugin else _native(given)
    return {
        "model_name": AUTO,
        "litellm_params": {
            "model": "auto_router/complexity_router", "complexity_router_default_model": group_of(fallback),
            "complexity_router_config": config,
        },
        "model_info": {"id": AUTO},
    }  # fmt: skip


def _tier(lane: Lane) -> dict[str, Any]:
    """A lane as the router sends to it. What stands here is put in place of what the request says itself."""
    tier = lane.settings
    params: dict[str, Any] = {} if tier.max_output_tokens is None else {"max_tokens": tier.max_output_tokens}
    if tier.temperature is not None:
        params["temperature"] = number_of(tier.temperature)
    return {"model_name": group_of(lane), **({"litellm_params": params} if params else {})}


def _plugin(given: Resolved, fallback: Lane) -> dict[str, Any]:
    lanes = written_lanes(given, is_plugin=True)
    return {
        "classifier_type": "custom",
        "classifier_plugin": f"{MODULE}.{PLUGIN}",
        "classifier_plugin_timeout_ms": PLUGIN_TIMEOUT_MS,
        "tier_definitions": [{"name": lane.name, "description": _described(lane)} for lane in lanes],
        "fallback_tier": fallback.name,
        "tiers": {lane.name: _tier(lane) for lane in lanes},
        # Else it asks for the longest answer that the model can give.
        "max_tokens_from_tier_model": False,
    }


def _described(lane: Lane) -> str:
    """LiteLLM wants a text, and never reads it where a classifier of one's own decides."""
    return f"{'tier' if lane.is_tier else 'specialist'} {group_of(lane)}"


def _native(given: Resolved) -> dict[str, Any]:
    found = native_of(given)
    return {
        "classifier_type": "heuristic",
        "tiers": {slot: _tier(lane) for slot, lane in zip(SLOTS, found.lanes, strict=True)},
        # What is above the highest tier is that tier again, and a label may stand once.
        "tier_labels": {
            slot: lane.name for slot, lane, other in zip(SLOTS, found.lanes, (None, *found.lanes), strict=False)
            if lane is not other
        },
        "keyword_tier_rules": [{"keywords": list(words), "tier": slot} for slot, words in found.keywords if words],
        "token_thresholds": {"simple": found.short_tokens, "complex": found.long_tokens},
        "dimension_weights": {
            "tokenCount": 1.0, "codePresence": 0.0, "reasoningMarkers": 0.0, "technicalTerms": 0.0,
            "simpleIndicators": 0.0, "multiStepPatterns": 0.0, "questionComplexity": 0.0,
        },
        "tier_boundaries": dict(
            zip(("simple_medium", "medium_complex", "complex_reasoning"), found.boundaries, strict=True)
        ),
        "max_tokens_from_tier_model": False,
        "reasoning_override_min_score": 9.0,
        "escalation_keywords": [],
        "route_housekeeping_to_cheapest_tier": False,
        "enable_context_window_escalation": True,
    }  # fmt: skip
