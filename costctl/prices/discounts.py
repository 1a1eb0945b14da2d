"""Discounts of the user's own: which entry holds for a model, and which entries are at fault.

An exact name wins over a pattern, a pattern with more letters of its own over one with fewer; where an entry stands in
the file does not matter, as a mapping has no order.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches

from costctl.prices.names import provider_alias
from costctl.prices.resolve import MAKERS

_WILD = re.compile(r"\[[^\]]+\]|[*?]")
_OWN = "own/"


def discount_of(model_key: str, discounts: Mapping[str, Decimal]) -> Decimal:
    """The share (0 to 1) off the list price of one model; of equally specific entries the smaller discount.

    >>> discount_of("openai/gpt-4o", {"openai/*": Decimal("0.1"), "openai/gpt-4o": Decimal("0.2")})
    Decimal('0.2')
    """
    found = _fitting(model_key, discounts)
    return discounts[found[0]] if found else Decimal(0)


def _fitting(model_key: str, discounts: Mapping[str, Decimal]) -> list[str]:
    """The entries that fit a model, the one that holds first."""
    fits = [pattern for pattern in discounts if fnmatch.fnmatchcase(model_key.lower(), pattern.lower())]
    return sorted(fits, key=lambda pattern: (_rank(pattern), discounts[pattern], pattern))


def _rank(pattern: str) -> tuple[bool, int]:
    """Less for what is more specific."""
    own = _WILD.sub("", pattern)
    return own != pattern, -len(own)


def faults(discounts: Mapping[str, Decimal], keys: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Entries with what is wrong with them; `keys` are all models with a price, own rates among them."""
    if not discounts:
        return  # as nearly always; the keys are thousands
    listed = sorted(
        (key for key in keys if not key.startswith(_OWN)), key=lambda key: key.partition("/")[0] not in MAKERS
    )
    fits = {key: _fitting(key, discounts) for key in listed}
    used = {pattern for patterns in fits.values() for pattern in patterns}
    tied: dict[str, str] = {}
    for key, (first, *others) in ((key, patterns) for key, patterns in fits.items() if patterns):
        for other in others:
            if _rank(other) == _rank(first) and discounts[other] != discounts[first]:
                tied.setdefault(
                    first, f"{other} fits {key} just as well with another share; name {key} itself, or drop one of them"
                )
    for pattern in discounts:
        if pattern in tied:
            yield pattern, tied[pattern]
        elif pattern not in used:
            yield pattern, _unused(pattern, listed, keys)


def _unused(pattern: str, listed: Sequence[str], keys: Sequence[str]) -> str:
    own = {key.removeprefix(_OWN).lower() for key in keys if key.startswith(_OWN)}
    if pattern.lower().removeprefix(_OWN) in own or pattern.lower().startswith(_OWN):
        return "own rates are not discounted: give the price that you pay"
    near = _near(pattern.lower(), listed)
    return "fits no model of the price files" + (f"; did you mean {near}?" if near else "; write provider/model")


def _near(pattern: str, listed: Sequence[str]) -> str | None:
    """An entry that does fit something, for one with a slip or without its provider."""
    providers = sorted({key.partition("/")[0] for key in listed})
    provider, slash, name = pattern.partition("/")
    if not slash:
        if pattern in providers:
            return f"{pattern}/*"
        bare = [key for key in listed if key.lower().partition("/")[2] == pattern]
        if bare:
            return bare[0]
    alias = provider_alias(provider)
    meant = [alias] if alias in providers else get_close_matches(provider, providers, n=1)
    for one in meant if slash else ():
        if any(fnmatch.fnmatchcase(key.lower(), f"{one}/{name}") for key in listed):
            return f"{one}/{name}"
    lower = {key.lower(): key for key in reversed(listed)}
    if not slash:
        lower = {key.partition("/")[2]: whole for key, whole in lower.items()}
    return next((lower[key] for key in get_close_matches(pattern, lower, n=1, cutoff=0.7)), None)
