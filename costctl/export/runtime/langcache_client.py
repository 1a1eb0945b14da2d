"""Redis LangCache asked as the policy says: `find` before a model is called, `keep` after it.

The service is named by the environment: LANGCACHE_SERVER_URL, LANGCACHE_CACHE_ID, LANGCACHE_API_KEY. Its console must
list the one attribute that `langcache.json` names.
"""

from __future__ import annotations

import datetime
import hashlib
import importlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def parameters() -> dict[str, Any]:
    """What `langcache.json` beside this file says."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name("langcache.json").read_text("utf-8"))
    return found


def client() -> Any:
    """The official client of the service."""
    names = ("LANGCACHE_SERVER_URL", "LANGCACHE_CACHE_ID", "LANGCACHE_API_KEY")
    url, cache, key = (os.environ[name] for name in names)
    return importlib.import_module("langcache").LangCache(server_url=url, cache_id=cache, api_key=key)


def is_left_out(prompt: str, facts: Mapping[str, str | None], given: Mapping[str, Any]) -> bool:
    """Whether no cache is asked nor told; `facts` are what conditions call endpoint, app, user and so on."""
    if any(re.search(pattern, prompt) for pattern in given["exclude"]["personal_data"]):
        return True
    return any(_is(facts[one["field"]], one["text"]) for one in given["exclude"]["fields"])


def caches_of(
    prompt: str, facts: Mapping[str, str | None], temperature: float | None, given: Mapping[str, Any]
) -> list[str]:
    """The caches that may answer a request or keep its answer, in the order in which they are asked.

    Raises:
        ValueError: where the facts do not name all that the policy looks at; None says that a request has no such fact.
    """
    there = [name for name in ("exact", "semantic") if name in given]
    needed = [*(name for kind in there for name in given[kind]["names"])]
    needed += [one["field"] for one in given["exclude"]["fields"]]
    lacking = [name for name in dict.fromkeys(needed) if name not in facts]
    if lacking:
        raise ValueError(f"facts must name {', '.join(lacking)}; say None where a request has none")
    if is_left_out(prompt, facts, given):
        return []
    most = given.get("exact", {}).get("max_temperature")
    # Providers take 1 where a request says nothing.
    is_warm = most is not None and (1.0 if temperature is None else temperature) > most
    return [name for name in there if name == "semantic" or not is_warm]


def search_of(
    kind: str, prompt: str, facts: Mapping[str, str | None], instructions: str | None, given: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments of the client's `search` in one of the two caches."""
    asked: dict[str, Any] = {"prompt": prompt, "search_strategies": [kind], "max_results": 1}
    if kind == "semantic":
        asked["similarity_threshold"] = given[kind]["similarity_threshold"]
    return {**asked, "attributes": _attributes(kind, facts, instructions, given)}


def entry_of(
    kind: str, prompt: str, answer: str, facts: Mapping[str, str | None], instructions: str | None,
    given: Mapping[str, Any], day: datetime.date,
) -> dict[str, Any]:  # fmt: skip
    """The arguments of the client's `set` for one of the two caches."""
    ttl = next(one["ttl_millis"] for one in given[kind]["ttls"] if day.month in one["months"])
    attributes = _attributes(kind, facts, instructions, given)
    return {"prompt": prompt, "response": answer, "attributes": attributes, "ttl_millis": ttl}


def find(
    service: Any,
    prompt: str,
    facts: Mapping[str, str | None],
    temperature: float | None = None,
    instructions: str | None = None,
) -> tuple[str | None, bool]:
    """The kept answer, and whether it must be written anew by the tier that refreshes before it is served.

    `prompt` is the first message of a conversation: later turns are never asked for, as their answers rest on others.
    `instructions` are those of the system: what is answered under one is not served under another. `temperature` is
    that with which the model would be asked: that of the tier, where it has one.
    """
    given = parameters()
    for kind in caches_of(prompt, facts, temperature, given):
        found = service.search(**search_of(kind, prompt, facts, instructions, given)).data
        if found:
            return found[0].response, kind == "semantic" and found[0].similarity < given[kind]["serve_min"]
    return None, False


def keep(
    service: Any,
    prompt: str,
    answer: str,
    facts: Mapping[str, str | None],
    temperature: float | None = None,
    instructions: str | None = None,
) -> bool:
    """Keep an answer in each cache that may serve it, unless the policy leaves it out; whether one did.

    Do not keep what was written anew between the thresholds, nor an answer that a cache gave.
    """
    given = parameters()
    kinds = caches_of(prompt, facts, temperature, given)
    day = datetime.datetime.now(datetime.timezone.utc).date()
    for kind in kinds:
        service.set(**entry_of(kind, prompt, answer, facts, instructions, given, day))
    return bool(kinds)


def _attributes(
    kind: str, facts: Mapping[str, str | None], instructions: str | None, given: Mapping[str, Any]
) -> dict[str, str]:
    """One attribute for all that must be equal, so that a fact that is not there is equal to none and to nothing else.

    It is hashed since the service refuses some characters, matches others never, and takes no empty text.
    """
    said = [kind, instructions or None, *(facts[name] or None for name in given[kind]["names"])]
    return {given["attribute"]: hashlib.sha256(json.dumps(said).encode()).hexdigest()}


def _is(value: str | None, text: str) -> bool:
    if value is None:
        return False
    return value.startswith(text[:-1]) if text.endswith("*") else value == text
