"""What gateways that only forward share: the lane of last resort, status codes of failures, names of variables."""

from __future__ import annotations

import re
from collections.abc import Mapping

from costctl.export.resolved import Lane, Model, Resolved

CODES: Mapping[str, tuple[int, ...]] = {
    "timeout": (408, 504), "rate_limit": (429,), "server_error": (500, 502, 503, 529),
    "error": (400, 401, 403, 404, 422),
}  # fmt: skip
"""The answers of providers that a policy calls by these names."""
FAILURES = tuple(sorted(code for name in ("timeout", "rate_limit", "server_error") for code in CODES[name]))


def default_lane(given: Resolved) -> Lane | None:
    """Where requests go that say no tier: the default, else the highest tier. None where no lane has a model."""
    lanes = [lane for lane in given.lanes if lane.models]
    named = next((lane for lane in lanes if lane.name == given.policy.routing.default), None)
    tiers = [lane for lane in lanes if lane.is_tier]
    return named or next(reversed(tiers or lanes), None)


def retried_codes(given: Resolved) -> list[int]:
    """The status codes after which the policy tries again."""
    retries = given.policy.retries
    return sorted({code for name in retries.on for code in CODES[name]}) if retries else []


def variable(text: str, ending: str) -> str:
    """The name of an environment variable for a provider or model."""
    plain = re.sub(r"[^A-Z0-9]+", "_", text.upper()).strip("_")
    return f"{plain if plain[:1].isalpha() else f'P_{plain}'}_{ending}"


def key_of(model: Model) -> str:
    """The environment variable that holds the key for a model."""
    return variable(model.model if model.engine else model.provider, "API_KEY")
