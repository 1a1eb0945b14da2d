"""Redis LangCache: its parameters, and a module by which an application asks the service as the policy says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from costctl.export.base import Carried, Exported, Target, approximated, dropped, expressed, header, told
from costctl.export.cache_parts import only_cached, shortest_s
from costctl.export.resolved import Resolved
from costctl.export.shape import SHARE, WHOLE, Choice, Flag, Items, Keys, Number, Text
from costctl.export.text import commented, to_json
from costctl.policy.schema import Policy
from costctl.policy.stages import ExactCache, SemanticCache
from costctl.tiers.text import PERSONAL

FILE, MODULE = "langcache.json", "costctl_langcache.py"
VERIFIED = "langcache 0.14.0 (SDK; the service itself is hosted)"
_CODE = Path(__file__).with_name("runtime") / "langcache_client.py"
_SCOPES = ("endpoint", "team", "user", "app", "model", "user_profile", "session")
_SHAPE = Keys(
    {
        "search": Keys(
            {"search_strategies": Items(Choice(("exact", "semantic"))), "max_results": Choice((1,))},
            {"similarity_threshold": SHARE},
        ),
        "attributes": Items(Text(r"[a-z_]+", "the name of an attribute"), least=0),
        "ttls": Items(Keys({"months": Items(Number(1, 12, is_whole=True)), "ttl_millis": WHOLE})),
        "exclude": Keys(
            {"personal_data": Items(Text(), least=0), "fields": Items(Keys({"field": Text(), "text": Text()}), least=0)}
        ),
    },
    {"serve_min": SHARE, "max_temperature": Number(), "renew_at_hit": Flag()},
)  # fmt: skip


def export(given: Resolved) -> Exported:
    """Parameters and module; a policy without a cache has empty parameters and no module."""
    parameters = _parameters(given.policy)
    files = {FILE: to_json(parameters)}
    if parameters:
        files[MODULE] = commented(header(given, "Redis LangCache", VERIFIED)) + _CODE.read_text("utf-8")
    return Exported(files, told(given, _carried(given.policy)))


def _parameters(policy: Policy) -> dict[str, Any]:
    exact, near = policy.cache.exact, policy.cache.semantic
    if exact is None and near is None:
        return {}
    kinds = ["exact"] * (exact is not None) + ["semantic"] * (near is not None)
    search: dict[str, Any] = {"search_strategies": kinds, "max_results": 1}
    more: dict[str, Any] = {}
    if near is not None:
        search["similarity_threshold"] = float(near.serve_min if near.refresh_min is None else near.refresh_min)
        more["serve_min"] = float(near.serve_min)
    if exact is not None and exact.max_temperature is not None:
        more["max_temperature"] = float(exact.max_temperature)
    names = [*(exact.scope if exact else ()), *(near.key if near else ())]
    return {
        "search": search, **more, "attributes": list(dict.fromkeys(names)), "ttls": _ttls(exact, near),
        "exclude": {
            # Never kept, whether the policy says so or not.
            "personal_data": list(PERSONAL),
            "fields": [
                {"field": one.partition(":")[0], "text": one.partition(":")[2]}
                for one in policy.cache.exclude if one != "personal_data"
            ],
        },
    }  # fmt: skip


def _ttls(exact: ExactCache | None, near: SemanticCache | None) -> list[dict[str, Any]]:
    """For each month of the year the time that an entry lives; with both caches the shorter one."""
    longest = None if exact is None else max(exact.ttl_us // 1000, 1)
    if near is None:
        assert longest is not None, "no cache, no ttl"
        return [{"months": list(range(1, 13)), "ttl_millis": longest}]
    found: dict[int, list[int]] = {}
    for month in range(1, 13):
        # A month that no entry names keeps its answers for the shortest time of all.
        spans = [one.ttl_us // 1000 for one in near.ttls if one.months is None or month in one.months]
        ttl = max(spans[0] if spans else shortest_s(near.ttls) * 1000, 1)
        found.setdefault(ttl if longest is None else min(ttl, longest), []).append(month)
    return [{"months": months, "ttl_millis": ttl} for ttl, months in found.items()]


def _carried(policy: Policy) -> dict[str, Carried]:
    exact, near = policy.cache.exact, policy.cache.semantic
    own: dict[str, Carried] = {}
    rests = f"{MODULE} leaves such requests out"
    first = "the caller must ask for the first turn of a conversation only"
    is_text = all(one == "personal_data" or one.partition(":")[0] in _SCOPES for one in policy.cache.exclude)
    own["cache.exclude"] = (
        expressed(rests)
        if is_text
        else approximated(f"{rests}; the caller must give it the named fields as attributes")
    )
    if exact is not None:
        differs = [first, *["the caller must give the scope as attributes"] * bool(exact.scope)]
        differs += ["its capacity is set in the service's console"] * (exact.capacity is not None)
        differs += ["a hit does not renew an entry"] * (exact.ttl_from == "last_hit")
        differs += ["an entry lives as long as the shorter of both caches says"] * (near is not None)
        own["cache.exact"] = approximated(f"strategy exact; {'; '.join(differs)}")
    if near is not None:
        parts = f"; the caller must give {', '.join(near.key)} as attributes" if near.key else ""
        own["cache.semantic"] = approximated(
            "strategy semantic with threshold and ttl by month; its similarity is of the service's own vectors, not "
            f"of those of the simulation: calibrate it on your log; {first}; the strict guard is not there{parts}"
        )
    own["cache.prompt"] = dropped("prompt caching is the provider's: ask for it in the request")
    return only_cached("LangCache", own)


def faults(files: Mapping[str, str]) -> list[str]:
    """Keys that the module does not read, months without a ttl, thresholds in the wrong order."""
    found = json.loads(files[FILE])
    if not found:
        return [f"{MODULE}: there is nothing to ask for"] if MODULE in files else []
    wrong = _SHAPE.faults(found, "")
    wrong += [] if MODULE in files else [f"{MODULE}: is missing"]
    if wrong:
        return wrong
    months = sorted(month for one in found["ttls"] for month in one["months"])
    wrong += [] if months == list(range(1, 13)) else ["ttls: every month must stand in it once"]
    is_near = "semantic" in found["search"]["search_strategies"]
    for key, there in (("similarity_threshold", found["search"]), ("serve_min", found)):
        if is_near != (key in there):
            wrong.append(f"{key}: goes with the strategy semantic, and only with it")
    if not wrong and is_near and found["search"]["similarity_threshold"] > found["serve_min"]:
        wrong.append("search.similarity_threshold: must not be above serve_min")
    return wrong


TARGET = Target("redis-langcache", "Redis LangCache", VERIFIED, export, faults)
