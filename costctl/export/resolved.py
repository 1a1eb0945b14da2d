"""A policy with all that an exporter needs beside it: whose models they are, what they cost, how much they hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from costctl import __version__
from costctl.money import usd_text
from costctl.policy.plain import plain_policy
from costctl.policy.schema import LOGGED, Policy, Tier
from costctl.policy.stages import Cache, SelfHosted
from costctl.prices.book import PriceBook, instant_utc
from costctl.tiers.content import Content
from costctl.tiers.learned import Router

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Model:
    """One model that a lane names. Prices are USD per million tokens, None where its list has none on the price day."""

    name: str  # as the policy writes it
    provider: str  # of the price list; `self` for an engine of one's own
    model: str  # as that provider calls it
    input_usd_per_million: Decimal | None
    output_usd_per_million: Decimal | None
    context_tokens: int | None
    engine: SelfHosted | None = None


@dataclass(frozen=True)
class Lane:
    """A tier or specialist with its models; `slug` is its name as routers take one."""

    name: str
    slug: str
    is_tier: bool
    settings: Tier
    models: tuple[Model, ...]

    @property
    def has_logged(self) -> bool:
        """Whether the lane leaves a request on the model that it asks for."""
        return LOGGED in self.settings.models


@dataclass(frozen=True)
class Resolved:
    """A policy as exporters read it; `content` are the tier rules, `router` the learned one of `routing.classifier`."""

    policy: Policy
    policy_digest: str
    book: PriceBook
    lanes: tuple[Lane, ...]
    content: Content
    router: Router | None = None
    version: str = __version__

    @property
    def price_digest(self) -> str:
        """Of the price book."""
        return self.book.digest

    @property
    def tiers(self) -> tuple[Lane, ...]:
        """The ordered tiers, cheapest first."""
        return tuple(lane for lane in self.lanes if lane.is_tier)

    def lane(self, name: str) -> Lane:
        """The tier or specialist of that name."""
        return next(lane for lane in self.lanes if lane.name == name)

    def chain(self, name: str) -> tuple[Lane, ...]:
        """A lane and its fallbacks, in order."""
        return (self.lane(name), *(self.lane(other) for other in self.policy.fallbacks.get(name, ())))


def resolved(policy: Policy, digest: str, book: PriceBook, content: Content, router: Router | None) -> Resolved:
    """The policy with its models resolved at the day of the prices; each has one (`load_policy` with a book)."""
    engines = {one.name: one for one in policy.self_hosted}
    lanes = []
    taken: set[str] = set()
    for number, tier in enumerate((*policy.tiers, *policy.specialists)):
        models = tuple(_model(name, book, engines) for name in tier.models if name != LOGGED)
        slug = _slug(tier.name, taken)
        lanes.append(Lane(tier.name, slug, number < len(policy.tiers), tier, models))
    policy = policy.model_copy(update={"cache": _that_serve(policy.cache)})
    return Resolved(policy, digest, book, tuple(lanes), content, router)


def _that_serve(cache: Cache) -> Cache:
    """The caches without those that never serve: a lifetime of 0, or a threshold that no likeness reaches."""
    exact, near = cache.exact, cache.semantic
    if exact is not None and exact.ttl_us == 0:
        exact = None
    if near is not None and (near.serve_min > 1 or not any(one.ttl_us for one in near.ttls)):
        near = None
    return cache.model_copy(update={"exact": exact, "semantic": near})


def _slug(name: str, taken: set[str]) -> str:
    """Lower-case letters, digits and dashes, different for each lane."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "lane"
    slug, number = plain, 2
    while slug in taken:
        slug, number = f"{plain}-{number}", number + 1
    taken.add(slug)
    return slug


def _model(name: str, book: PriceBook, engines: Mapping[str, SelfHosted]) -> Model:
    if name in engines:
        return Model(name, "self", name.removeprefix("self/"), Decimal(0), None, None, engines[name])
    key = book.resolve(name).model_key
    assert key is not None, f"{name} has no price"
    rate = book.rate_at(key, instant_utc(book.dated))
    provider, _, model = key.partition("@")[0].partition("/")
    asked = name.partition("/")[2] if name.startswith(f"{provider}/") else name
    bare = asked if plain(asked) == plain(model) or not model else model
    prices = rate.prices if rate else {}
    return Model(name, provider, bare, prices.get("input"), prices.get("output"), book.info(key).context_window_tokens)


def plain(name: str) -> str:
    """A name without case and punctuation."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def neutral(given: Resolved) -> dict[str, Any]:
    """The lanes and limits of a policy as plain data that any gateway can read (our own schema, versioned)."""
    policy = given.policy
    return {
        "schema_version": SCHEMA_VERSION, "name": policy.name, "policy_digest": given.policy_digest,
        "price_digest": given.price_digest,
        "lanes": [_neutral_lane(lane) for lane in given.lanes],
        "default": policy.routing.default or LOGGED,
        "fallbacks": {name: list(names) for name, names in policy.fallbacks.items()},
        "sticky": policy.routing.sticky,
        # Everything else as the policy has it.
        "policy": plain_policy(policy),
    }  # fmt: skip


def _neutral_lane(lane: Lane) -> dict[str, Any]:
    tier = lane.settings
    return {
        "name": lane.name, "slug": lane.slug, "kind": "tier" if lane.is_tier else "specialist", "select": tier.select,
        "weights": [float(one) for one in tier.weights],
        "models": [
            {
                "name": one.name, "provider": one.provider, "model": one.model, "context_tokens": one.context_tokens,
                "input_usd_per_million": _price(one.input_usd_per_million),
                "output_usd_per_million": _price(one.output_usd_per_million),
            }
            for one in lane.models
        ],
        "keeps_logged_model": lane.has_logged, "max_output_tokens": tier.max_output_tokens,
        "context_tokens": tier.context_tokens,
        "temperature": None if tier.temperature is None else float(tier.temperature),
        "timeout_s": None if tier.timeout_us is None else _seconds(tier.timeout_us),
    }  # fmt: skip


def _price(value: Decimal | None) -> str | None:
    return None if value is None else usd_text(value)


def _seconds(us: int) -> float:
    return us / 1_000_000
