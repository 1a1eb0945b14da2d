"""Names of models and providers that the prices must know: no log is needed to tell that they are misspelt.

What only a log knows (endpoints, users, intents of its own) is told by the replay, as a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from costctl.policy.keys import Faults
from costctl.policy.places import places_of
from costctl.policy.schema import LOGGED
from costctl.policy.source import Place, key_of
from costctl.policy.units import shown
from costctl.prices.book import PriceBook
from costctl.prices.names import SELF_HOSTED_REASON

OF_TIERS = tuple(
    f"{tiers}.*.{models}"
    for tiers in ("tiers", "specialists", "experiments.*.arms.*.tiers")
    for models in ("models", "models.*")
)
# Mappings from models; engines of one's own may stand in those of `assume`, and have no price to be changed.
ASSUMED = tuple(
    f"assume.{name}.?"
    for name in ("output_tokens_ratio", "input_tokens_ratio", "output_tokens_per_s", "first_token_ms")
)
REPRICED = "scenarios.price_ratio.?"
PROVIDERS = ("limits.?", "scenarios.outage.provider", "cache.prompt.providers.*", "cache.prompt.opt_in.*")


def faults_of_prices(values: Mapping[str, Any], book: PriceBook) -> Faults:
    """Every model and every provider that the prices do not know, with its place; engines of one's own need none."""
    own = {name for _, name in places_of(values, "self_hosted.*.name") if isinstance(name, str)}
    faults: Faults = []
    for pattern in OF_TIERS:
        for place, name in places_of(values, pattern):
            if isinstance(name, str) and name != LOGGED and name not in own:
                faults += [(place, fault) for fault in _unpriced(name, book)]
    for pattern in (*ASSUMED, REPRICED):
        faults += _named_once(values, pattern, book, own)
    return [*faults, *_providers(values, book, own)]


def _unpriced(name: str, book: PriceBook) -> Iterator[str]:
    found = book.resolve(name)
    if found.model_key is None:
        near = ", ".join(book.near(name)[:3])
        hint = f"did you mean {near}?" if near else "give it one: --prices own.yaml"
        if found.reason == SELF_HOSTED_REASON:
            hint = "describe its engine under self_hosted, or: --prices own.yaml"
        yield f"{found.reason}; {hint}"


def _named_once(values: Mapping[str, Any], pattern: str, book: PriceBook, own: set[str]) -> Iterator[tuple[Place, str]]:
    """Keys that name models: each must have a price, or be an engine, and no model may stand there by two names."""
    first: dict[str, Place] = {}
    for place, name in places_of(values, pattern):
        if name in own:
            if pattern == REPRICED:
                yield place, "an engine of one's own has no price per token; its price is usd_per_hour"
            continue
        yield from ((place, fault) for fault in _unpriced(name, book))
        key = book.resolve(name).model_key
        if key is not None and key in first:
            yield place, f"it is {key}, which {key_of(first[key])} names already"
        first.setdefault(str(key), place)


def _providers(values: Mapping[str, Any], book: PriceBook, own: set[str]) -> Iterator[tuple[Place, str]]:
    known = {*book.providers(), *(name.partition("/")[0] for name in (*book.model_keys(), *own))}
    for pattern in PROVIDERS:
        for place, name in places_of(values, pattern):
            if not isinstance(name, str) or not name or name in known:
                continue
            near = get_close_matches(name, sorted(known), n=1)
            hint = f"did you mean {near[0]}?" if near else "a provider is what stands before the / of its models"
            yield place, f"no provider is named {shown(name)}; {hint}"
