"""GPTCache 0.1.44: the configuration of its server as a cache before an OpenAI endpoint.

Its score of two texts is `max_distance` less the squared distance of their unit vectors, and a hit is a score of at
least `similarity_threshold` times `max_distance`. With `max_distance: 2` that is just the cosine; with the product's
own 4 a threshold of 0.9 would already be met at a cosine of 0.8.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costctl.export.base import Carried, Exported, Target, approximated, dropped, header, told
from costctl.export.cache_parts import only_cached
from costctl.export.resolved import Resolved
from costctl.export.shape import SHARE, WHOLE, Choice, Flag, Keys, Number, Text
from costctl.export.text import commented, from_yaml, to_yaml
from costctl.policy.tell import duration

FILE, START = "gptcache.yaml", "start.sh"
VERIFIED = "gptcache 0.1.44"
MAX_DISTANCE = 2.0
EMBEDDING = "text-embedding-ada-002"
_SHAPE = Keys(
    {
        "embedding": Choice(("openai",)), "embedding_config": Keys({"model": Choice((EMBEDDING,))}),
        "storage_config": Keys(
            {"manager": Choice(("sqlite,faiss",)), "data_dir": Text()},
            {"eviction_params": Keys({"max_size": WHOLE, "eviction": Choice(("LRU",))})},
        ),
        "evaluation": Choice(("distance", "exact")),
        "pre_function": Choice(("last_content", "all_content")), "post_function": Choice(("first",)),
        "config": Keys(
            {"similarity_threshold": SHARE, "enable_token_counter": Flag(), "disable_report": Flag()},
        ),
    },
    {"evaluation_config": Keys({"max_distance": Number(MAX_DISTANCE, MAX_DISTANCE)})},
)  # fmt: skip


def export(given: Resolved) -> Exported:
    """The configuration and a script that starts the server; without a cache in the policy only the note of it."""
    head = commented(header(given, "GPTCache", VERIFIED))
    config = _config(given)
    if config is None:
        note = commented(["The policy has no exact and no semantic cache: there is nothing to start."])
        return Exported({FILE: head + note + "{}\n"}, told(given, _carried(given)))
    warned = commented(
        [
            "The key is the text alone: a request of one tier is answered from the answer of another one.",
            "Nothing expires: delete the folder of the cache as often as the policy's ttl says.",
        ]
    )
    return Exported({FILE: to_yaml(config, head + warned), START: _start(head)}, told(given, _carried(given)))


def _config(given: Resolved) -> dict[str, Any] | None:
    cache = given.policy.cache
    if cache.exact is None and cache.semantic is None:
        return None
    storage: dict[str, Any] = {"manager": "sqlite,faiss", "data_dir": "gptcache_data"}
    if cache.exact is not None and cache.exact.capacity is not None:
        storage["eviction_params"] = {"max_size": cache.exact.capacity, "eviction": "LRU"}
    near = cache.semantic
    return {
        "embedding": "openai", "embedding_config": {"model": EMBEDDING}, "storage_config": storage,
        "evaluation": "exact" if near is None else "distance",
        **({} if near is None else {"evaluation_config": {"max_distance": MAX_DISTANCE}}),
        "pre_function": "all_content" if near is None else "last_content", "post_function": "first",
        "config": {
            "similarity_threshold": 1.0 if near is None else float(near.serve_min),
            # It would ask tiktoken, which downloads, at every hit.
            "enable_token_counter": False, "disable_report": True,
        },
    }  # fmt: skip


def _start(head: str) -> str:
    return (
        "#!/bin/sh\n" + head + "# Activate the environment that has gptcache, openai 0.28.1 and all that it imports:\n"
        "# what is missing it installs by itself with the first pip on the PATH.\n"
        "set -eu\n"
        ': "${OPENAI_API_KEY:?the key of the provider, also for embeddings}"\n'
        ': "${OPENAI_API_BASE:=https://api.openai.com/v1}"\n'
        "export OPENAI_API_KEY OPENAI_API_BASE\n"
        'exec gptcache_server -s 127.0.0.1 -p "${PORT:-8000}" -o True -of gptcache.yaml\n'
    )


def _carried(given: Resolved) -> dict[str, Carried]:
    cache = given.policy.cache
    own: dict[str, Carried] = {
        "cache.exclude": dropped("the caller must send cache_skip: true in the body of such requests"),
    }
    if cache.exact is not None:
        ttl, whose = duration(cache.exact.ttl_us), ", ".join(cache.exact.scope) or "everybody"
        how = (
            "equal texts of all messages"
            if cache.semantic is None
            else "similarity 1.0 of the semantic cache covers it"
        )
        own["cache.exact"] = approximated(
            f"{how}; the key is the text alone, not {whose}, model or temperature: run one server for each; nothing "
            f"expires: delete gptcache_data every {ttl}"
        )
    if cache.semantic is not None:
        spans = ", ".join(duration(one.ttl_us) for one in cache.semantic.ttls)
        more = "" if cache.semantic.refresh_min is None else "; answers are not written anew below serve_min"
        own["cache.semantic"] = approximated(
            f"a cosine of {cache.semantic.serve_min:f} of {EMBEDDING} vectors of the last message, which are not those "
            f"of the simulation: calibrate it on your log; no key parts and no guard; nothing expires: delete "
            f"gptcache_data every {spans}{more}; redis-langcache has a ttl"
        )
    return only_cached("GPTCache", own)


def faults(files: Mapping[str, str]) -> list[str]:
    """Keys that GPTCache does not read, wrong values, a start script that names another file."""
    config = from_yaml(files[FILE])
    if not config:
        return [f"{START}: there is nothing to start"] if START in files else []
    wrong = _SHAPE.faults(config, "")
    if not wrong and (config["evaluation"] == "distance") != ("evaluation_config" in config):
        wrong.append("evaluation_config: max_distance goes with evaluation: distance, and only with it")
    start = files.get(START, "")
    return wrong + ([] if f"-of {FILE}\n" in start and "127.0.0.1" in start else [f"{START}: must start with {FILE}"])


TARGET = Target("gptcache", "GPTCache", VERIFIED, export, faults)
