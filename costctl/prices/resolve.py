"""From any logged model name to the key of its rates, with the reason; unknown stays unknown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from typing import Any, NamedTuple

from costctl.prices.names import (
    SELF_HOSTED,
    SELF_HOSTED_REASON,
    Named,
    as_sold,
    equals_any,
    is_of_bedrock,
    matches,
    parse_name,
    plain_name,
    plain_tail,
    provider_alias,
    provider_of,
    short_of_bedrock,
    spellings,
)
from costctl.prices.rates import is_free_by_name

# Where a bare model name is looked up when no provider is known: makers before resellers.
MAKERS = (
    "openai", "anthropic", "google", "deepseek", "mistral", "x-ai", "cohere", "moonshotai", "zai", "minimax",
    "perplexity",
)  # fmt: skip
RESELLERS = ("groq", "together", "fireworks", "cerebras", "aws", "azure", "openrouter")

# AWS sells many models in one region at one price and globally, wherever there is room, at a lower one.
REGIONAL, GLOBAL = "aws/regional.", "aws/global."
NO_REGION = "the log names no region: the price of one region is assumed, global costs less"
DISTILLED = "distill"
# Words for a region that is not known; a seller's rule for any region but `global` must not fit them.
NOWHERE = frozenset({"not_available", "unknown", "none", "null", "n/a", "na", "-", "unspecified", "undefined"})


class Resolution(NamedTuple):
    """Which price a model name means, how that was found, and why not where it was not.

    `how` is own | exact | alias | family | short name | unpriced, from the surest to none.
    """

    model_key: str | None
    how: str
    reason: str


class _Found(NamedTuple):
    resolution: Resolution
    seller: str  # whose endpoint it was, which decides about regional prices


class ShortName(NamedTuple):
    """What a name of `pricing/models.yaml` stands for: a model's id, and who sells it at the price that is meant."""

    model: str
    provider: str


def _is_regional(name: str) -> bool:
    return f"aws/{name}".startswith(REGIONAL)


class Resolver:
    """Looks names up in the price files; `models` is keyed provider/id and may grow by `:free` variants.

    `short_names` reads the names that people give models, in the spelling of `plain_name`; it is asked once, for the
    first name that the price files do not know.
    """

    def __init__(
        self,
        providers: Mapping[str, dict[str, Any]],
        models: dict[str, dict[str, Any]],
        own: Iterable[str],
        regions: Iterable[Mapping[str, Any]],
        short_names: Callable[[], Mapping[str, ShortName]] = dict,
    ) -> None:
        self._providers = providers
        self._models = models
        self._own = {name.lower(): f"own/{name}" for name in own}
        self._regions = list(regions)
        self._read_short_names = short_names

    @cached_property
    def _short_names(self) -> Mapping[str, ShortName]:
        return self._read_short_names()

    def resolve(self, model: str | None, provider: str | None, region: str | None) -> Resolution:
        """The key of the rates of one logged name; a regional price has the key `...@seller:region`."""
        if not model or not model.strip():
            return Resolution(None, "unpriced", "the log names no model")
        named = parse_name(model)
        if own := self._own_rates(model, named, provider):
            return Resolution(own, "own", "own rates")
        if named.refusal:
            return Resolution(None, "unpriced", named.refusal)
        if provider and provider_alias(provider) in SELF_HOSTED:
            return Resolution(None, "unpriced", SELF_HOSTED_REASON)
        found = self._found(named, provider) or self._by_short_name(named, provider)
        if found is None:
            return Resolution(None, "unpriced", f"no price for {named.model!r}")
        key = found.resolution.model_key
        if key is None or not self._has_prices(key):
            return Resolution(None, "unpriced", f"{key} is listed without a price per token")
        return self._in_region(found, named, region or named.region)

    def multiplier(self, seller: str, model: str, region: str) -> str | None:
        """What a region makes of the list price, or None where it has no say."""
        if region.lower() in NOWHERE:
            return None
        return next(
            (
                str(rule["multiply"])
                for rule in self._regions
                if rule["provider"] == seller
                and re.fullmatch(rule["models"], model)
                and re.fullmatch(rule["region"], region.lower())
            ),
            None,
        )

    def sellers(self, model: str) -> list[str]:
        """The providers that sell a model at a price, resellers of another's list included."""
        named = parse_name(model)
        found = {seller: self._sold_by(seller, named) for seller in self._providers}
        return [name for name, item in found.items() if item and item.model_key and self._has_prices(item.model_key)]

    def near(self, model: str) -> list[str]:
        """Keys that look like the given name, at most three."""
        named = parse_name(model)
        keys: dict[str, str] = {}
        for key in sorted(self._models, key=lambda key: key.partition("/")[0] not in MAKERS):
            name = str(self._models[key]["id"]).lower()
            keys.setdefault(name, key)
            keys.setdefault(name.rsplit("/", 1)[-1], key)
        found = get_close_matches(named.model.lower(), keys, n=6, cutoff=0.7)
        return list(dict.fromkeys(keys[name] for name in found))[:3]

    def _own_rates(self, model: str, named: Named, provider: str | None) -> str | None:
        names = [model.strip(), named.full, named.model]
        if provider:
            names.insert(0, f"{provider}/{named.model}")
        return next((self._own[name.lower()] for name in names if name.lower() in self._own), None)

    def _has_prices(self, key: str) -> bool:
        return is_free_by_name(key) or any("input" in line for line in self._models[key]["rates"])

    def _in_region(self, found: _Found, named: Named, region: str | None) -> Resolution:
        key = found.resolution.model_key
        assert key is not None
        if key.startswith(REGIONAL):
            return self._on_bedrock_in(found.resolution, named, region)
        if not region or self.multiplier(found.seller, key.partition("/")[2], region) is None:
            return found.resolution
        place = region.lower()
        reason = f"{found.resolution.reason}; regional price {place}"
        return found.resolution._replace(model_key=f"{key}@{found.seller}:{place}", reason=reason)

    def _found(self, named: Named, provider: str | None) -> _Found | None:
        """The logged provider's own list first, then the one in the name, then makers and resellers."""
        known = provider_of(provider, self._providers)
        prefix = named.provider if named.provider in self._providers else None
        if known and (found := self._listed(known, [name for name in spellings(named, known) if "/" in name])):
            return _Found(found, known)
        for seller in dict.fromkeys(filter(None, (prefix, known))):
            if found := self._sold_by(seller, named):
                sells_on = known and seller in self._providers[known]["fallback"]
                return _Found(found, known if known and sells_on else seller)
        if free := self._free_variant(named):
            return _Found(free, "openrouter")
        return self._anywhere(named, known or prefix, provider)

    def _by_short_name(self, named: Named, provider: str | None) -> _Found | None:
        """A name such as Haiku 3.5, which no price file lists: the price of the model that it stands for."""
        short = self._short_names.get(plain_name(named.full))
        if short is None:
            return None
        sold = parse_name(as_sold(short.model, short.provider))
        found = self._found(sold, provider or named.provider or short.provider)
        if found is None:
            return None
        reason = f"short for {short.model}; {found.resolution.reason}"
        return found._replace(resolution=found.resolution._replace(how="short name", reason=reason))

    def _sold_by(self, seller: str, named: Named) -> Resolution | None:
        found = self._in_provider(seller, named) or self._in_fallback(seller, named)
        if found is None and seller == "aws":
            return self._short_on_bedrock(named)
        return found or (self._open_weights(named) if seller == "openrouter" else None)

    @cached_property
    def _on_bedrock(self) -> Mapping[str, str]:
        """Ids of AWS by their short names: in a region before global, the newest of several."""
        ids = sorted(
            (str(model["id"]) for model in self._models_of("aws")), key=lambda name: (_is_regional(name), name)
        )
        return {short_of_bedrock(name): name for name in ids}

    def _short_on_bedrock(self, named: Named) -> Resolution | None:
        """AWS's own price of a model that a log names without Bedrock's date and version."""
        found = self._on_bedrock.get(short_of_bedrock(named.model))
        return Resolution(f"aws/{found}", "short name", f"short for {found}") if found else None

    def _on_bedrock_in(self, found: Resolution, named: Named, region: str | None) -> Resolution:
        """Whether AWS served it in one region or globally, which costs less: as the log says, else in a region."""
        key = str(found.model_key)
        everywhere = key.replace(REGIONAL, GLOBAL, 1)
        if everywhere not in self._models or is_of_bedrock(named.model):
            return found
        if self._models[everywhere]["rates"] == self._models[key]["rates"]:
            return found
        if region and region.lower() == "global":
            return found._replace(model_key=everywhere, reason=f"{found.reason}; global as the log says")
        return found if region else found._replace(reason=f"{found.reason}; {NO_REGION}")

    def _anywhere(self, named: Named, seller: str | None, provider: str | None) -> _Found | None:
        """The maker's list price, whoever sold it; the reason says so."""
        where = f" ({provider} has no price of its own)" if provider and provider != seller else ""
        if seller:
            where = f" ({seller} has no price of its own)"
        unpriced: _Found | None = None
        for maker, found in self._sellers(named):
            told = _Found(found._replace(reason=f"{found.reason}; list price of {maker}{where}"), seller or maker)
            if found.model_key and self._has_prices(found.model_key):
                return told
            unpriced = unpriced or told
        return unpriced

    def _sellers(self, named: Named) -> Iterator[tuple[str, Resolution]]:
        """Who lists the model, the surest price first."""
        for maker in (*MAKERS, *RESELLERS):
            if found := self._in_provider(maker, named):
                yield maker, found
        if found := self._open_weights(named):
            yield "openrouter", found
        for maker in self._providers:
            if maker not in {*MAKERS, *RESELLERS} and (found := self._in_provider(maker, named)):
                yield maker, found

    def _in_provider(self, provider: str, named: Named) -> Resolution | None:
        return self._listed(provider, spellings(named, provider))

    def _models_of(self, provider: str) -> list[dict[str, Any]]:
        return self._providers[provider]["models"] if provider in self._providers else []

    def _listed(self, provider: str, names: list[str]) -> Resolution | None:
        models = self._models_of(provider)
        for name in names:
            for model in models:
                if str(model["id"]).lower() == name:
                    return Resolution(f"{provider}/{model['id']}", "exact", "the model's own id")
        for name in names:
            for model in models:
                # A distilled model carries the name of the one that taught it, and is another one.
                if DISTILLED in name and DISTILLED not in str(model["id"]).lower():
                    continue
                if matches(model["match"], name):
                    is_alias = name.startswith(str(model["id"]).lower()) or equals_any(model["match"], name)
                    how = "alias" if is_alias else "family"
                    return Resolution(f"{provider}/{model['id']}", how, f"{how} of {model['id']}")
        return None

    def _in_fallback(self, provider: str, named: Named) -> Resolution | None:
        for fallback in self._providers[provider]["fallback"]:
            found = self._in_provider(fallback, named) if fallback in self._providers else None
            if found:
                return found._replace(reason=f"{found.reason}; {provider} sells it at the price of {fallback}")
        return None

    def _free_variant(self, named: Named) -> Resolution | None:
        """`maker/model:free` of a model that OpenRouter sells: the suffix itself states the price."""
        if not named.full.endswith(":free") or self._listed("openrouter", [named.full.lower(), named.model.lower()]):
            return None
        paid = named.full.removesuffix(":free").lower()
        if not self._listed("openrouter", [paid, paid.rsplit("/", 1)[-1]]):
            return None
        key = f"openrouter/{named.full}"
        self._models[key] = {"id": named.full, "name": None, "match": None, "rates": [{}], "source": "suffix :free"}
        return Resolution(key, "alias", "the suffix :free is OpenRouter's price of zero")

    def _open_weights(self, named: Named) -> Resolution | None:
        """Open models under their bare name: OpenRouter lists them as maker/model."""
        wanted = plain_tail(named.model)
        for model in self._models_of("openrouter"):
            if plain_tail(str(model["id"])) == wanted and self._has_prices(f"openrouter/{model['id']}"):
                return Resolution(f"openrouter/{model['id']}", "family", f"family of {model['id']}")
        return None
