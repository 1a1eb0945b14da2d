"""`routing.classifier`: the tier that a learned router gives the calls of which no rule speaks.

The router says of each call how likely the dearer of two models gains. Both stand in tiers of the policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from costctl.errors import CostctlError
from costctl.formats.sources import Reader
from costctl.policy.schema import Policy
from costctl.policy.units import shown
from costctl.prices.book import PriceBook
from costctl.replay.calls import Flag, Int, codes, fetch, kept
from costctl.replay.router_scores import digest_of, remember_scores, scores_of
from costctl.store import Store
from costctl.tiers.learned import (
    NO_HITS,
    Coded,
    Inputs,
    Real,
    Router,
    column_sql,
    gain_of,
    goes_dear,
    read_columns,
    score,
)

PPB = 10**9
SILENT = -1  # of a gain: the router says nothing of the call
NAME = "learned router"


class Sides(NamedTuple):
    """The two tiers between which a router chooses."""

    cheap: str
    dear: str


@dataclass(frozen=True)
class Classifier:
    """A router in a policy: where it sends calls, and which confidence it needs to send one to the cheaper tier."""

    router: Router
    file: str
    digest: str
    sides: Sides
    min_confidence: float | None

    @property
    def reasons(self) -> tuple[str, str]:
        """Why a call goes to the cheaper and to the dearer tier."""
        if self.min_confidence is None:
            limit = f"{self.router.threshold.gain_below:.6g}"
            return f"{NAME}: gain < {limit}", f"{NAME}: gain >= {limit}"
        limit = f"{self.min_confidence:.6g}"
        return f"{NAME}: confidence >= {limit}", f"{NAME}: confidence < {limit}"


def told_reason(reason: str, gain: float) -> str:
    """One of the two reasons with the figure of one call, in as many digits as tell it from the limit.

    >>> told_reason("learned router: gain >= 0.25", 0.3141), told_reason("learned router: confidence < 0.7", 0.301)
    ('learned router: gain 0.31 >= 0.25', 'learned router: confidence 0.699 < 0.7')
    """
    head, _, relation = reason.rpartition(": ")
    kind, sign, limit = relation.split(" ")
    value, bound = gain if kind == "gain" else 1 - gain, float(limit)
    text = next((text for text in (f"{value:.{n}f}" for n in range(2, 9)) if float(text) != bound), f"{value:.9f}")
    return f"{head}: {kind} {text} {sign} {limit}"


class Said(NamedTuple):
    """What the router says of each call: the gain in parts per billion, `SILENT` where nothing; which go dear."""

    gain_ppb: Int
    is_dear: Flag


_used: WeakKeyDictionary[Store, Classifier] = WeakKeyDictionary()


def know_classifier(
    store: Store, policy: Policy, book: PriceBook, router: Router | None, reader: Reader | None
) -> Classifier | None:
    """The policy's router, ready to be asked of this log; None where the policy has none.

    Raises:
        CostctlError: E463 where its models do not stand in two tiers, E124 and E419 as `remember_scores`.
    """
    spec = policy.routing.classifier
    if spec is None:
        return None
    assert router is not None, "the file of routing.classifier was not loaded"
    confidence = None if spec.min_confidence is None else float(spec.min_confidence)
    found = Classifier(router, spec.file, digest_of(router), sides_of(policy, book, router, spec.file), confidence)
    if router.needs_text:
        remember_scores(store, router, reader)
    _used[store] = found
    return found


def sides_of(policy: Policy, book: PriceBook, router: Router, file: str) -> Sides:
    """The first tiers that name the router's models; where its file names none, the two tiers of the policy.

    Raises:
        CostctlError: E463 where that does not give two tiers, the cheaper model's below the other.
    """
    names = [tier.name for tier in policy.tiers]
    if router.cheap_model is None or router.dear_model is None:
        if len(names) == 2:
            return Sides(names[0], names[1])
        raise _no_sides(
            file, f"it does not name its two models, and the policy has {len(names)} tiers, not two",
            "train it with names: costctl train-router --scores FILE --cheap MODEL --dear MODEL",
        )  # fmt: skip
    found = []
    for model in (router.cheap_model, router.dear_model):
        key = _key(book, model)
        at = next((at for at, tier in enumerate(policy.tiers) if key in {_key(book, one) for one in tier.models}), None)
        if at is None:
            pair = f"{shown(router.cheap_model)} and {shown(router.dear_model)}"
            raise _no_sides(
                file, f"it chooses between {pair}, and no tier of the policy has {shown(model)}",
                "name both models in tiers, or train a router for the policy's models",
            )  # fmt: skip
        found.append(at)
    if found[0] >= found[1]:
        where = f"its cheaper model stands in tier {names[found[0]]}, its dearer one in tier {names[found[1]]}"
        raise _no_sides(file, where, "tiers stand cheapest first: the cheaper model belongs in a lower one")
    return Sides(names[found[0]], names[found[1]])


def _key(book: PriceBook, model: str) -> str:
    return book.resolve(model).model_key or model


def _no_sides(file: str, message: str, hint: str) -> CostctlError:
    return CostctlError("E463", f"routing.classifier: {file} does not fit the policy: {message}", hint)


def used_classifier(store: Store) -> Classifier:
    """The router of the policy that is simulated."""
    return _used[store]


def said_of(store: Store) -> Said:
    """What the router says of every call; other policies on the same calls ask only once."""
    found = used_classifier(store)
    return kept(store, (NAME, found.digest, found.min_confidence), lambda: _asked(store, found))


def with_router(store: Store, rule_count: int, code: Int) -> Int:
    """The numbers of what decided, with the router where no rule matched: its two ways follow the rules."""
    said = said_of(store)
    is_asked = (code >= rule_count) & (said.gain_ppb >= 0)
    return np.where(is_asked, rule_count + said.is_dear, code)


def gain_where_asked(store: Store, rule_count: int, code: Int) -> Int:
    """The gain of the calls that the router decided, else `SILENT`."""
    is_decided = (code == rule_count) | (code == rule_count + 1)
    return np.where(is_decided, said_of(store).gain_ppb, SILENT)


def _asked(store: Store, found: Classifier) -> Said:
    router = found.router
    count = int(store.scalar("SELECT count(*) FROM replay_place"))
    categories = {one.column: Coded(*codes(store, one.column)) for one in router.categories}
    if router.needs_text:
        said = scores_of(store, count)
        is_known = ~np.isnan(said)
        inputs = Inputs(count, {}, NO_HITS, NO_HITS, np.zeros(0), categories)
        gain = gain_of(router, np.where(is_known, said, 0.0), inputs)
    else:
        inputs = read_columns(_features(store, router), categories, count)
        is_known = np.zeros(count, dtype=np.bool_)
        for column in inputs.features.values():
            is_known |= ~np.isnan(column)
        for coded in categories.values():
            is_known |= coded.code >= 0
        gain = score(router, inputs)
    is_dear = is_known & goes_dear(router, gain, found.min_confidence)
    return Said(np.where(is_known, np.rint(gain * PPB), SILENT).astype(np.int64), is_dear)


def _features(store: Store, router: Router) -> dict[str, Real]:
    """The columns that the router reads, each as it learned them."""
    names = sorted({name for one in router.linear for name in one.features})
    if not names:
        return {}
    found = fetch(store, ", ".join(f'{column_sql(name)} AS "{name}"' for name in names))
    return {name: found[name].astype(np.float64, copy=False) for name in names}
