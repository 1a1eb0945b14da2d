"""The closed schema of a dynamic route of Cloudflare, and what must hold of its graph."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from costctl.export.shape import NAME, ByType, Choice, Items, Keys, Named, Number, Text
from costctl.policy.keys import unknown

RETRIES_MAX = 5
TIMEOUT_MIN_MS, TIMEOUT_MAX_MS = 100, 600_000
_TO = Keys({"elementId": NAME})
_BRANCH = Keys({"true": _TO, "false": _TO})
_TRY = Keys({"success": _TO, "fallback": _TO})
_CONDITIONS = Named(Keys({"$eq": Text()}), least=1)
_ELEMENT = ByType(
    "type",
    {
        "start": Keys({"id": NAME, "type": Text(), "outputs": Keys({"next": _TO})}),
        "conditional": Keys(
            {"id": NAME, "type": Text(), "outputs": _BRANCH, "properties": Keys({"conditions": _CONDITIONS})}
        ),
        "percentage": Keys({"id": NAME, "type": Text(), "outputs": Named(_TO, least=2)}),
        "rate": Keys(
            {
                "id": NAME, "type": Text(), "outputs": _TRY,
                "properties": Keys(
                    {
                        "key": Text(r"metadata\.[a-z_]+", "metadata of the request"), "limit": Number(),
                        "limitType": Choice(("count", "cost")), "window": Number(1, 31 * 86_400, is_whole=True),
                    }
                ),
            }
        ),
        "model": Keys(
            {
                "id": NAME, "type": Text(), "outputs": _TRY,
                "properties": Keys(
                    {
                        "provider": Text(), "model": Text(), "retries": Number(0, RETRIES_MAX, is_whole=True),
                        # Of milliseconds: less than a tenth of a second would be meant as seconds.
                        "timeout": Number(TIMEOUT_MIN_MS, TIMEOUT_MAX_MS, is_whole=True),
                    }
                ),
            }
        ),
        "end": Keys({"id": NAME, "type": Text(), "outputs": Keys()}),
    },
)  # fmt: skip
_ROUTE = Keys({"name": NAME, "elements": Items(_ELEMENT, least=3)})


def faults_of(route: Any, tier_key: str) -> list[str]:
    """Everything that is wrong: keys and values, then the graph."""
    wrong = _ROUTE.faults(route, "")
    return wrong or list(_graph_faults(route["elements"], tier_key))


def _graph_faults(elements: list[dict[str, Any]], tier_key: str) -> Iterator[str]:
    ids = [one["id"] for one in elements]
    yield from (f"{name}: stands twice" for name in sorted({name for name in ids if ids.count(name) > 1}))
    kinds = [one["type"] for one in elements]
    yield from (f"{kind}: there must be just one" for kind in ("start", "end") if kinds.count(kind) != 1)
    ways = {one["id"]: [to["elementId"] for to in one["outputs"].values()] for one in elements}
    lost = [(name, to) for name, outputs in ways.items() for to in outputs if to not in ways]
    for name, to in lost:
        yield f"{name}: {to}: {unknown(to, ids, 'element')}"
    for one in elements:
        shares = [name for name in one["outputs"] if name != "else"]
        if one["type"] == "percentage" and not (len(shares) == 1 and re.fullmatch(r"[1-9][0-9]?%", shares[0])):
            yield f"{one['id']}: must have a share such as 90% and else"
    if lost or kinds.count("start") != 1:
        return
    start = next(one["id"] for one in elements if one["type"] == "start")
    reached, circle = _walked(ways, start)
    if circle is not None:
        yield f"{circle}: a way leads back to it"
    yield from (f"{name}: nothing leads to it" for name in ids if name not in reached)
    if not any(tier_key in one["properties"]["conditions"] for one in elements if one["type"] == "conditional"):
        yield f"no element asks for {tier_key}"


def _walked(ways: dict[str, list[str]], start: str) -> tuple[set[str], str | None]:
    """What can be reached, and an element from which a way leads back to itself."""
    done: set[str] = set()
    open_now: list[str] = []
    circle: str | None = None

    def visit(name: str) -> None:
        nonlocal circle
        if name in open_now:
            circle = circle or name
            return
        if name in done:
            return
        open_now.append(name)
        for to in ways[name]:
            visit(to)
        open_now.pop()
        done.add(name)

    visit(start)
    return done, circle
