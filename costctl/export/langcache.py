"""Redis LangCache: its parameters, and a module by which an application asks the service as the policy says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from costctl.export.base import Carried, Exported, Target, approximated, dropped, expressed, header, told
from costctl.export.cache_parts import only_cached, shortest_s
from costctl.export.resolved import Resolved
from costctl.export.shape import SHARE, WHOLE, Choice, Items, Keys, Number, Text
from costctl.export.text import commented, to_json
from costctl.policy.apart import Apart
from costctl.policy.schema import Policy
from costctl.policy.stages import SemanticCache
from costctl.tiers.text import PERSONAL

FILE, MODULE = "langcache.json", "costctl_langcache.py"
VERIFIED = "langcache 0.14.0 (SDK; the service itself is hosted)"
_CODE = Path(__file__).with_name("runtime") / "langcache_client.py"
ATTRIBUTE = "costctl"
SERVE_NOTHING = 2
"""Thresholds above 1 serve nothing, up to this one."""
_NAMES = Items(Text(r"[a-z_]+", "the name of a fact"), least=0)
_TTLS = Items(Keys({"months": Items(Number(1, 12, is_whole=True)), "ttl_millis": WHOLE}))
_SHAPE = Keys(
    {
        "attribute": Choice((ATTRIBUTE,)),
        "exclude": Keys(
            {"personal_data": Items(Text(), least=0), "fields": Items(Keys({"field": Text(), "text": Text()}), least=0)}
        ),
    },
    {
        "exact": Keys({"names": _NAMES, "ttls": _TTLS}, {"max_temperature": Number()}),
        "semantic": Keys(
            {"names": _NAMES, "ttls": _TTLS, "similarity_threshold": SHARE, "serve_min": Number(0, SERVE_NOTHING)}
        ),
    },
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
    if near is not None and _serves_nothing(near):
        near = None
    if exact is None and near is None:
        return {}
    found: dict[str, Any] = {"attribute": ATTRIBUTE}
    if exact is not None:
        found["exact"] = {
            "names": list(exact.scope),
            "ttls": [{"months": list(range(1, 13)), "ttl_millis": max(exact.ttl_us // 1000, 1)}],
            **({} if exact.max_temperature is None else {"max_temperature": float(exact.max_temperature)}),
        }
    if near is not None:
        found["semantic"] = {
            # Near questions are never answered across applications.
            "names": list(dict.fromkeys(("app", *near.key))), "ttls": _ttls(near),
            "similarity_threshold": float(near.serve_min if near.refresh_min is None else near.refresh_min),
            "serve_min": float(near.serve_min),
        }  # fmt: skip
    return found | {
        "exclude": {
            # Never kept, whether the policy says so or not.
            "personal_data": list(PERSONAL),
            "fields": [
                {"field": one.partition(":")[0], "text": one.partition(":")[2]}
                for one in policy.cache.exclude if one != "personal_data"
            ],
        },
    }  # fmt: skip


def _serves_nothing(near: SemanticCache) -> bool:
    return near.serve_min > 1 and near.refresh_min is None


def _ttls(near: SemanticCache) -> list[dict[str, Any]]:
    """For each month of the year the time that an entry lives."""
    found: dict[int, list[int]] = {}
    for month in range(1, 13):
        # A month that no entry names keeps its answers for the shortest time of all.
        spans = [one.ttl_us // 1000 for one in near.ttls if one.months is None or month in one.months]
        found.setdefault(max(spans[0] if spans else shortest_s(near.ttls) * 1000, 1), []).append(month)
    return [{"months": months, "ttl_millis": ttl} for ttl, months in found.items()]


def _carried(policy: Policy) -> dict[str, Carried]:
    exact, near = policy.cache.exact, policy.cache.semantic
    own: dict[str, Carried] = {}
    first = "the caller must ask for the first turn of a conversation only"
    fields = sorted({one.partition(":")[0] for one in policy.cache.exclude if one != "personal_data"})
    told_facts = f"; the caller must give it {', '.join(fields)} as facts" if fields else ""
    own["cache.exclude"] = expressed(f"{MODULE} leaves such requests out{told_facts}")
    if exact is not None:
        differs = [first, *[f"the caller must give {', '.join(exact.scope)} as facts"] * bool(exact.scope)]
        differs += ["the caller must give the temperature of the tier"] * (exact.max_temperature is not None)
        differs += ["its capacity is set in the service's console"] * (exact.capacity is not None)
        differs += ["a hit does not renew an entry"] * (exact.ttl_from == "last_hit")
        own["cache.exact"] = approximated(f"strategy exact, with ttl and scope of its own; {'; '.join(differs)}")
    if near is not None and _serves_nothing(near):
        own["cache.semantic"] = expressed("no similarity is above 1: it is never asked")
    elif near is not None:
        facts = ", ".join(dict.fromkeys(("app", *near.key)))
        own["cache.semantic"] = approximated(
            "strategy semantic with thresholds and ttl by month; its similarity is of the service's own vectors, not "
            f"of those of the simulation: calibrate it on your log; {first}, and give {facts} as facts, None where a "
            "request has none; the strict guard is not there"
        )
    own["cache.prompt"] = dropped("prompt caching is the provider's: ask for it in the request")
    return only_cached("LangCache", own)


def apart(given: Resolved) -> Mapping[str, Apart]:
    """The exact cache without a capacity and without renewal; the service's vectors cannot be replayed."""
    policy = given.policy
    if policy.cache.exact is None:
        return {}
    done = policy.cache.exact.model_copy(update={"capacity": None, "ttl_from": "insert"})
    cache = policy.cache.model_copy(update={"exact": done})
    return {"cache.exact": Apart(policy, policy.model_copy(update={"cache": cache}))}


def faults(files: Mapping[str, str]) -> list[str]:
    """Keys that the module does not read, months without a ttl, no cache at all, thresholds in the wrong order."""
    found = json.loads(files[FILE])
    if not found:
        return [f"{MODULE}: there is nothing to ask for"] if MODULE in files else []
    wrong = _SHAPE.faults(found, "")
    wrong += [] if MODULE in files else [f"{MODULE}: is missing"]
    if wrong:
        return wrong
    kinds = [name for name in ("exact", "semantic") if name in found]
    for name in kinds:
        months = sorted(month for one in found[name]["ttls"] for month in one["months"])
        wrong += [] if months == list(range(1, 13)) else [f"{name}.ttls: every month must stand in it once"]
    wrong += [] if kinds else ["exact or semantic: one must be there, else there is nothing to ask for"]
    near = found.get("semantic")
    if near is not None and near["similarity_threshold"] > near["serve_min"]:
        wrong.append("semantic.similarity_threshold: must not be above serve_min")
    return wrong


TARGET = Target("redis-langcache", "Redis LangCache", VERIFIED, export, faults, apart=apart)
