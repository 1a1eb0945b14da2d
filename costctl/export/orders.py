"""Routers that ask the models of a lane in one order for all requests: which order, so that it can be replayed."""

from __future__ import annotations

from collections.abc import Mapping

from costctl.export.litellm_lanes import kept_models
from costctl.export.resolved import Resolved
from costctl.policy.apart import Apart, in_order


def by_price(given: Resolved) -> Mapping[str, Apart]:
    """As `kept_models` has them: `cheapest` by the price of input, else as the policy does."""
    lanes = {lane.name: tuple((model.name, None) for model, _ in kept_models(lane)) for lane in given.lanes}
    return in_order(given.policy, lanes, ("cheapest", "fastest"))


def as_listed(given: Resolved) -> Mapping[str, Apart]:
    """As the policy lists them, whatever it says of choosing, weights too where the part is approximated."""
    lanes = {lane.name: tuple((model.name, None) for model in lane.models) for lane in given.lanes}
    return in_order(given.policy, lanes, ("cheapest", "fastest", "weights"))
