"""Names of a policy that nothing in the log or in the prices answers to: most likely they are misspelt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from costctl.policy.schema import Floor, Policy, Raise, Routing, Rule
from costctl.policy.tell import condition
from costctl.policy.when import All, Any_, Compare, Is, OneOf, When
from costctl.prices.book import PriceBook
from costctl.replay.conditions import Conditions
from costctl.replay.route import Route
from costctl.report import Warning
from costctl.store import Store


def unmet(store: Store, policy: Policy, book: PriceBook) -> list[Warning]:
    """A warning for each such name of the intent matrix, token caps, prompt caches and token ratios."""
    said = []
    for key, name, known in _names(store, policy, book):
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else ""
        said.append(Warning("W237", f"{key}: nothing is called {name}, so that entry has no effect", hint))
    return said


def _names(store: Store, policy: Policy, book: PriceBook) -> Iterator[tuple[str, str, list[str]]]:
    yield from _missing("routing.matrix", policy.routing.matrix, _values(store, "intent"))
    columns = {"endpoint": "endpoint", "user_profile": "user_profile", "user": "user_id", "team": "team"}
    for cap in policy.budgets.tokens_per_day:
        if cap.name is not None and cap.scope in columns:
            yield from _missing("budgets.tokens_per_day", [str(cap.name)], _values(store, columns[cap.scope]))
    if policy.cache.prompt is not None:
        named = policy.cache.prompt.providers
        listed = () if isinstance(named, str) else named
        yield from _missing("cache.prompt.providers", listed, book.providers())
        yield from _missing("cache.prompt.opt_in", policy.cache.prompt.opt_in, book.providers())
    for key in ("output_tokens_ratio", "input_tokens_ratio", "output_tokens_per_s", "first_token_ms"):
        ratios = getattr(policy.assume, key)
        for model in ratios if hasattr(ratios, "keys") else ():
            if book.resolve(model).model_key is None:
                yield f"assume.{key}", model, book.near(model)


def _missing(key: str, names: Iterable[str], known: Iterable[str]) -> Iterator[tuple[str, str, list[str]]]:
    there = list(known)
    for name in names:
        if name not in there:
            yield key, name, there


def _values(store: Store, column: str) -> list[str]:
    return [
        text for (text,) in store.query(f"SELECT DISTINCT {column} FROM request WHERE {column} IS NOT NULL ORDER BY 1")
    ]


def idle_rules(store: Store, routing: Routing, routed: Route) -> list[Warning]:
    """A warning for each rule, raise and floor whose condition no call meets, with what of it never holds."""
    said = []
    named: list[tuple[str, tuple[Rule | Raise | Floor, ...], NDArray[np.int16]]] = [
        ("rules", routing.rules, routed.reason), ("raise", routing.raises, routed.raised_by),
        ("floors", routing.floors, routed.floored_by),
    ]  # fmt: skip
    for key, items, decided in named:
        for number, item in enumerate(items):
            if (decided == number).any() or _count(store, item.when):
                continue
            never = [condition(atom) for atom in _atoms(item.when) if not _count(store, atom)]
            why = f"never in this log: {'; '.join(dict.fromkeys(never))}" if never else "never all of it together"
            said.append(Warning("W276", f"routing.{key}: {item.name} meets no call; {why}"))
    return said


def _count(store: Store, when: When) -> int:
    conditions = Conditions()
    sql = conditions.sql(when)
    return int(store.query(f"SELECT count(*) FROM replay_call WHERE {sql}", conditions.params)[0][0])


def _atoms(when: When) -> Iterator[When]:
    """The single conditions of a condition; what must not hold is left out."""
    match when:
        case All(parts) | Any_(parts):
            for part in parts:
                yield from _atoms(part)
        case Compare() | Is() | OneOf():
            yield when
