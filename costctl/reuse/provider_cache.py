"""The provider's prompt cache, from the blocks of the prompts or, where a log has none, from its sessions.

Blocks say what two prompts share, so a request reads the longest beginning that any request on the
same model left behind. A session only tells that it grows: each request repeats the one before it
and adds to its end. So what a request can read is what the request before it left behind. A key is
all that must stay the same for it: session, caller, model and provider. Either way an entry serves
as long as it lives, and after a change of model the cache is cold.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from costctl.prices.published import read_data
from costctl.reuse.blocks import Blocks
from costctl.reuse.lru import last_seen
from costctl.reuse.prefix import prefix_hits

Int = NDArray[np.int64]
Bool = NDArray[np.bool_]


class CacheTerms(NamedTuple):
    """How a provider keeps the prompts of a model; `pricing/prompt_cache.yaml` explains each."""

    minimum_tokens: int
    increment_tokens: int
    ttl_us: int
    charges_writes: bool
    is_automatic: bool
    keeps_output: bool = False


class TermColumns(NamedTuple):
    """The same terms as columns, one value per request."""

    minimum_tokens: Int
    increment_tokens: Int
    ttl_us: Int
    charges_writes: Bool
    is_automatic: Bool
    keeps_output: Bool


NO_CACHE = CacheTerms(0, 1, 0, charges_writes=False, is_automatic=False)


def cache_terms(price_key: str) -> CacheTerms | None:
    """The terms of a model by its price key, such as `openai/gpt-4.1@azure`; None: no cache that we know of.

    Anthropic's hour is the same with `_replace(ttl_us=3_600_000_000)`, and its own write price.
    """
    provider, _, model = price_key.partition("/")
    fits = [
        (len(beginning), entry)
        for entry in _entries()
        if entry["provider"] == provider
        for beginning in entry["models"]
        if model.startswith(beginning)
    ]
    if not fits:
        return None
    _, entry = max(fits, key=lambda fit: fit[0])
    return CacheTerms(
        minimum_tokens=entry["minimum_tokens"],
        increment_tokens=entry["increment_tokens"],
        ttl_us=entry["ttl_s"] * 1_000_000,
        charges_writes=entry["charges_writes"],
        is_automatic=entry["is_automatic"],
        keeps_output=entry["keeps_output"],
    )


@cache
def _entries() -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = read_data("prompt_cache.yaml")["terms"]
    return entries


def term_columns(terms: Sequence[CacheTerms | None], which: Int) -> TermColumns:
    """The terms of each request, where `which` tells its place in `terms`; None caches nothing."""
    rows = [NO_CACHE if term is None else term for term in terms] or [NO_CACHE]
    columns = zip(*rows, strict=True)
    return TermColumns(*(np.array(column)[which] for column in columns))


def predict(
    keys: Int,
    times_us: Int,
    input_tokens: Int,
    output_tokens: Int,
    terms: CacheTerms | TermColumns,
    *,
    is_opted_in: bool | Bool = False,
    cut_keeps_prefix: bool = True,
) -> tuple[Int, Int]:
    """For each request, in time order, the input tokens read from the cache and those written to it.

    A request reads the input of the one before it under its key, with that one's output where the
    provider keeps it; at most its own input, in whole increments, and nothing below the minimum.
    The entry lives while less than the time to live has passed since that request began: each
    use renews it. The rest in whole increments is written where writes have a price, 0 where they
    are free; what is neither read nor written is fresh, so the three add up to the input. A cache
    that is not automatic does nothing unless `is_opted_in`, for all requests or each.

    Assumptions: every request repeats the one before it; requests that run at the same time see
    each other's prompts; sessions share nothing, though they may begin with the same instructions.
    Where an input is shorter than the one before it, the context was cut, and how much still
    agrees is not known: `cut_keeps_prefix` takes all that remains for the old beginning (recorded:
    17 such calls read 95 % of their input), otherwise the request starts cold. The two bound it.

    `output_tokens` of a request are without thinking that the next request does not repeat.
    """
    previous = last_seen(keys)
    is_on = np.broadcast_to(terms.is_automatic | np.asarray(is_opted_in), keys.shape)
    is_alive = (previous >= 0) & is_on & is_on[previous] & (times_us - times_us[previous] < terms.ttl_us)
    if not cut_keeps_prefix:
        is_alive &= input_tokens >= input_tokens[previous]
    left = input_tokens[previous] + np.where(terms.keeps_output, output_tokens[previous], 0)
    read = _whole(np.minimum(left, input_tokens), terms)
    read = np.where(is_alive, read, 0)
    is_written = is_on & np.asarray(terms.charges_writes)
    write = np.where(is_written, _whole(input_tokens, terms) - read, 0)
    return read, write


def predict_from_blocks(
    models: Int,
    times_us: Int,
    input_tokens: Int,
    blocks: Blocks,
    terms: CacheTerms | TermColumns,
    *,
    is_opted_in: bool | Bool = False,
    logged_tokens: Int | None = None,
) -> tuple[Int, Int]:
    """The same for requests whose blocks are known, whatever sessions they belong to.

    A request reads the longest run of its first blocks that requests on its model have held, each
    block within the time to live of its last use: the tokens of these blocks, at most its input, in
    whole increments, and nothing below the minimum. Requests that do not use the cache leave
    nothing in it. Answers count only once they stand in a later prompt.

    `logged_tokens`: the input that the blocks were cut from, where `input_tokens` counts the same
    prompt by another tokeniser; what is read is then the same share of it.
    """
    is_on = np.broadcast_to(terms.is_automatic | np.asarray(is_opted_in), models.shape)
    cut = input_tokens if logged_tokens is None else logged_tokens
    held = blocks if is_on.all() else blocks.only(is_on)
    on = np.flatnonzero(is_on)
    ttl_us = np.broadcast_to(terms.ttl_us, models.shape)[on]
    is_served = prefix_hits(_of_model(held, models[on]), held.offsets, times_us[on], ttl_us)
    served = np.concatenate(([0], np.cumsum(is_served, dtype=np.int64)))
    left = np.zeros(len(models), dtype=np.int64)
    left[on] = np.diff(served[held.offsets]) * held.block_tokens
    left = np.minimum(left, cut)
    if logged_tokens is not None:
        left = left * input_tokens // np.maximum(logged_tokens, 1)
    read = _whole(left, terms)
    write = np.where(is_on & np.asarray(terms.charges_writes), _whole(input_tokens, terms) - read, 0)
    return read, write


def _of_model(blocks: Blocks, models: Int) -> Int:
    """One number for each block and the model that holds it."""
    count = int(models.max(initial=0)) + 1
    ids, of_model = blocks.ids, np.repeat(models, np.diff(blocks.offsets))
    if not len(ids):
        return ids
    if int(ids.max()) - int(ids.min()) >= 2**62 // count:
        ids = np.unique(ids, return_inverse=True)[1].astype(np.int64)
    numbers: Int = (ids - ids.min()) * count + of_model
    return numbers


def _whole(tokens: Int, terms: CacheTerms | TermColumns) -> Int:
    """What of a prefix can be cached: whole increments, or nothing below the minimum."""
    whole = tokens - tokens % terms.increment_tokens
    return np.where(whole < terms.minimum_tokens, 0, whole)
