"""How many tokens another model would have used: a ratio with its interval, or none at all.

Output tokens of a model that did not answer are unknown. The user's own `assume:` goes before a
shipped table of measured answer lengths; without either the same number of tokens is taken, with
the wide interval that such a guess was measured to have. Across the boundary between models that
think and models that do not there is no ratio.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

from costctl.policy.keys import Table
from costctl.prices.book import PriceBook, read_yaml
from costctl.prices.names import plain_tail
from costctl.prices.place import pricing_folder

ONE = Decimal(1)


class Ratio(NamedTuple):
    """Tokens of the other model per token of the logged one; `how` says what it rests on."""

    value: Decimal
    low: Decimal
    high: Decimal
    how: str  # assumed | measured elsewhere | same tokens taken


@dataclass(frozen=True)
class Assumed:
    """What the user's policy assumes, for all models or by the key of their price."""

    output: Decimal | Mapping[str, Decimal] | None = None
    input: Decimal | Mapping[str, Decimal] | None = None


def output_ratio(logged: str, other: str, assumed: Assumed) -> Ratio | None:
    """Output tokens of `other` per output token of `logged`; None where nothing can be said."""
    value = said(assumed.output, other)
    if value is not None:
        return Ratio(value, value, value, "assumed")
    if is_reasoning(logged) != is_reasoning(other):
        return None
    table = _table()
    one, two = _mean(logged), _mean(other)
    if one is None or two is None:
        factor = Decimal(table["factor_unknown"])
        return Ratio(ONE, ONE / factor, factor, "same tokens taken")
    ratio, factor = Decimal(two) / Decimal(one), Decimal(table["factor_known"])
    return Ratio(ratio, ratio / factor, ratio * factor, "measured elsewhere")


def input_ratio(logged: str, other: str, assumed: Assumed) -> Ratio:
    """Input tokens of `other` per input token of `logged`: 1, exact only where both share a tokeniser."""
    value = said(assumed.input, other)
    if value is not None:
        return Ratio(value, value, value, "assumed")
    for family in _table()["tokenizers"]:
        if _begins(logged, family) and _begins(other, family):
            return Ratio(ONE, ONE, ONE, "same tokeniser")
    low, high = map(Decimal, _table()["factor_tokenizer"])
    return Ratio(ONE, low, high, "same tokens taken")


def is_reasoning(model: str) -> bool:
    """Whether the model thinks before it answers, by the beginning of its name."""
    return _begins(model, _table()["reasoning"])


def _begins(model: str, beginnings: Iterable[str]) -> bool:
    return any(plain_tail(model).startswith(plain_tail(beginning)) for beginning in beginnings)


def by_price_key(
    value: Decimal | Mapping[str, Decimal] | None, book: PriceBook
) -> Decimal | Mapping[str, Decimal] | None:
    """The same assumption with each model also under the key of its price, by whatever name the policy calls it.

    Its own name stays, because an engine of one's own may be named like a model that has a price.
    """
    if not isinstance(value, Mapping):
        return value
    return Table({**{book.resolve(name).model_key or name: ratio for name, ratio in value.items()}, **value})


def said(value: Decimal | Mapping[str, Decimal] | None, model: str) -> Decimal | None:
    """What the policy assumes of this model, as one number for all or by the key of its price."""
    if isinstance(value, Mapping):
        return value.get(model)
    return value


def _mean(model: str) -> int | None:
    fits = [one for one in _table()["output_tokens"] if plain_tail(model).startswith(plain_tail(one))]
    return int(_table()["output_tokens"][max(fits, key=len)]) if fits else None


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = read_yaml(pricing_folder() / "verbosity.yaml")
    return table
