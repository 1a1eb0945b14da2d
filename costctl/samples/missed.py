"""Which requests of the story a prompt cache would have made cheaper, worked out one after another.

OpenAI caches by itself, from 1,024 tokens on in steps of 128, for five minutes without use, and
what it answered counts; Anthropic where it is asked, without steps, and charges for writing. A
conversation repeats its last request. Where a log shows cached tokens nothing is claimed: of a
model that caches by itself, of a conversation of the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from costctl.samples.prices import GPT_4O, GPT_41, MINI, MINUTE_MS, SONNET, price_at
from costctl.samples.story import CACHE_BLOCK_TOKENS, CACHE_FROM_TOKENS, Attempt

ALIVE_MS = 5 * MINUTE_MS
CACHES_BY_ITSELF = frozenset({MINI, GPT_4O, GPT_41})
WRITE_USD = Decimal("3.75")  # per million tokens of SONNET
_MILLION = Decimal(1_000_000)


class Turn(NamedTuple):
    """What the last billed request of a conversation on a model left behind."""

    at_ms: int
    tokens: int


def missed(rows: Sequence[Attempt], is_claimed: Sequence[bool]) -> tuple[set[int], Decimal]:
    """Places of the requests that caching would have made cheaper, and the net saving.

    A model takes part where caching pays: what its requests save that no earlier class has claimed,
    less what any of its requests would have cost more.
    """
    shown = {seen for row in rows if row.cached_tokens for seen in (row.model, (row.model, row.session))}
    last: dict[tuple[str, int], Turn] = {}
    savings: dict[str, dict[int, Decimal]] = defaultdict(dict)
    for place, row in enumerate(rows):
        scope = row.model if row.model in CACHES_BY_ITSELF else (row.model, row.session)
        if row.model not in CACHES_BY_ITSELF | {SONNET} or not row.cost_usd or scope in shown:
            continue
        key = (row.model, row.session)
        savings[row.model][place] = _saving(row, last.get(key))
        assert row.input_tokens is not None
        answered = (row.output_tokens or 0) if row.model in CACHES_BY_ITSELF else 0
        last[key] = Turn(row.start_ms, row.input_tokens + answered)
    found: set[int] = set()
    total = Decimal(0)
    for of_model in savings.values():
        net = sum((usd for place, usd in of_model.items() if usd < 0 or not is_claimed[place]), Decimal(0))
        if net > 0:
            found |= {place for place, usd in of_model.items() if usd > 0 and not is_claimed[place]}
            total += net
    return found, total


def _saving(row: Attempt, before: Turn | None) -> Decimal:
    """What this request would have cost less, or more where that is negative."""
    price = price_at(row.model, row.start_ms)
    assert price is not None
    assert row.input_tokens is not None
    step = CACHE_BLOCK_TOKENS if row.model in CACHES_BY_ITSELF else 1
    read = 0
    if before is not None and row.start_ms - before.at_ms < ALIVE_MS:
        read = min(before.tokens, row.input_tokens) // step * step
        read = read if read >= CACHE_FROM_TOKENS else 0
    written = 0
    if row.model == SONNET and row.input_tokens >= CACHE_FROM_TOKENS:
        written = row.input_tokens - read
    return (read * (price.uncached - price.cached) - written * (WRITE_USD - price.uncached)) / _MILLION
