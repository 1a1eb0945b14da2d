"""GPTCache on the `gptcache.yaml` of this folder, as its server uses it, before an upstream: a line for each call.

Question: `{"model", "prompt"}`. Answer: `{"text"}`. Vectors come from the upstream, which has fewer dimensions than the
model of OpenAI; so the product is made to ask for their number as it does for a model that it does not know.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

# Whatever the library prints must not stand between the answers.
ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

from gptcache import Cache  # noqa: E402  (after its output was turned away)
from gptcache.adapter import openai  # noqa: E402
from gptcache.adapter.api import init_similar_cache_from_config  # noqa: E402
from gptcache.embedding.openai import OpenAI  # noqa: E402

OpenAI.dim_dict = staticmethod(dict)
CACHE = Cache()
init_similar_cache_from_config("gptcache.yaml", cache_obj=CACHE)


def answered(given: dict[str, Any]) -> dict[str, Any]:
    """The answer of the cache or of the upstream."""
    messages = [{"role": "user", "content": given["prompt"]}]
    found = openai.ChatCompletion.create(cache_obj=CACHE, model=given["model"], messages=messages)
    return {"text": found["choices"][0]["message"]["content"]}


for line in sys.stdin:
    ANSWERS.write(json.dumps(answered(json.loads(line))) + "\n")
    ANSWERS.flush()
