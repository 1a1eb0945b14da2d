"""Redis LangCache asked as the policy says: `find` before a model is called, `keep` after it.

The service is named by the environment: LANGCACHE_SERVER_URL, LANGCACHE_CACHE_ID, LANGCACHE_API_KEY.
"""

from __future__ import annotations

import datetime
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


def is_left_out(prompt: str, facts: Mapping[str, str], temperature: float | None, given: Mapping[str, Any]) -> bool:
    """Whether the cache is neither asked nor told; `facts` are what conditions call endpoint, app, user and so on.

    A request without one of the attributes is left out too, since it could be answered for somebody else.
    """
    most = given.get("max_temperature")
    # Providers take 1 where a request says nothing.
    if most is not None and (1.0 if temperature is None else temperature) > most:
        return True
    if any(not facts.get(name) for name in given["attributes"]):
        return True
    if any(re.search(pattern, prompt) for pattern in given["exclude"]["personal_data"]):
        return True
    return any(_is(facts.get(one["field"]), one["text"]) for one in given["exclude"]["fields"])


def search_of(prompt: str, facts: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of the client's `search`."""
    return {"prompt": prompt, **given["search"], "attributes": {name: facts[name] for name in given["attributes"]}}


def entry_of(
    prompt: str, answer: str, facts: Mapping[str, str], given: Mapping[str, Any], day: datetime.date
) -> dict[str, Any]:
    """The arguments of the client's `set`."""
    ttl = next(one["ttl_millis"] for one in given["ttls"] if day.month in one["months"])
    attributes = {name: facts[name] for name in given["attributes"]}
    return {"prompt": prompt, "response": answer, "attributes": attributes, "ttl_millis": ttl}


def find(
    service: Any, prompt: str, facts: Mapping[str, str], temperature: float | None = None
) -> tuple[str | None, bool]:
    """The kept answer, and whether it must be written anew by the tier that refreshes before it is served.

    `prompt` is the first message of a conversation: later turns are never asked for, as their answers rest on others.
    """
    given = parameters()
    if is_left_out(prompt, facts, temperature, given):
        return None, False
    found = service.search(**search_of(prompt, facts, given)).data
    if not found:
        return None, False
    least = given.get("serve_min")
    is_exact = str(getattr(found[0].search_strategy, "value", found[0].search_strategy)) == "exact"
    return found[0].response, not is_exact and least is not None and found[0].similarity < least


def keep(service: Any, prompt: str, answer: str, facts: Mapping[str, str], temperature: float | None = None) -> bool:
    """Keep an answer, unless the policy leaves it out; whether it was kept."""
    given = parameters()
    if is_left_out(prompt, facts, temperature, given):
        return False
    day = datetime.datetime.now(datetime.timezone.utc).date()
    service.set(**entry_of(prompt, answer, facts, given, day))
    return True


def _is(value: str | None, text: str) -> bool:
    if value is None:
        return False
    return value.startswith(text[:-1]) if text.endswith("*") else value == text
