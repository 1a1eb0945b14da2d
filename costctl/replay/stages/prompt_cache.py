"""Stage 8: the providers' prompt caches, cold after a switch of model.

No stage before it reads what it finds, so it runs over columns once the walk is done. What a call
could read is predicted for the log and for the policy alike: from the blocks of its prompt per
model, or, for a call without blocks, per session, caller and model. A call on another model reads
what the policy's own calls left there. A call on its logged model keeps what the log says, less
what the prediction lost because the policy took other calls away from that model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from costctl.policy.stages import PromptCache as PromptCacheSpec
from costctl.replay.calls import Calls, Code, Flag, Int, constant
from costctl.replay.candidates import InputPrices
from costctl.replay.lanes import Lanes
from costctl.reuse.blocks import Blocks
from costctl.reuse.provider_cache import CacheTerms, cache_terms, predict, predict_from_blocks, term_columns


@dataclass(frozen=True)
class Prefixes:
    """What the log says of the prompts' beginnings: blocks, or else the session that a call belongs to."""

    sessions: Int  # numbers session and caller, -1 where the log names no session
    blocks: Blocks | None  # of all calls, where any has some
    has_blocks: Flag

    @property
    def is_known(self) -> Flag:
        """Whether anything can be said of what a call shares with earlier ones."""
        return self.has_blocks | (self.sessions >= 0)


@dataclass(frozen=True)
class Cached:
    """What the prompt caches make of the served calls; tokens, and the change of cost in picodollars."""

    read_tokens: Int
    written_tokens: Int
    change_pusd: Int
    neutral_change_pusd: Int  # if a moved call read the share that it read in the log
    is_predicted: Flag  # what it reads is a prediction; the others keep what the log says of them


def nothing_cached(calls: Calls, is_served: Flag, is_moved: Flag) -> Cached:
    """Without the stage: moved calls read nothing, the others what the log says."""
    zeros = constant(0, calls.count)
    return Cached(
        np.where(is_served & ~is_moved, np.maximum(calls.cache_read_tokens, 0), 0), zeros, zeros, zeros, is_moved
    )


def prompt_cache(
    calls: Calls, lanes: Lanes, lane: Code, is_served: Flag, prefixes: Prefixes, spec: PromptCacheSpec,
    prices_of: Callable[[str], InputPrices],
) -> Cached:  # fmt: skip
    """Replay the prompt caches."""
    serving = lanes.take("model", lane)
    is_moved = is_served & lanes.take("is_other_model", lane)
    tokens = np.where(is_served, lanes.take("input_tokens", lane), 0)
    logged_read = np.maximum(calls.cache_read_tokens, 0)
    has_prefix = prefixes.is_known & calls.is_dated & ~calls.is_unpriced & (calls.input_tokens >= 0)

    terms = [cache_terms(name) for name in lanes.models]
    asked = _asked(calls, lanes)
    is_on = [_is_on(name, term, spec) for name, term in zip(lanes.models, terms, strict=True)]
    opted = np.array([on and name.split("/")[0] in spec.opt_in for on, name in zip(is_on, lanes.models, strict=True)])
    # Models that the log has never asked to cache start to when the policy opts in.
    starts = opted & ~asked & np.array([term is not None and not term.is_automatic for term in terms])

    before, _ = _predicted(calls, terms, calls.model, calls.input_tokens, np.maximum(calls.output_tokens, 0),
                           prefixes, has_prefix & (calls.model >= 0), asked[calls.model])  # fmt: skip
    output = np.where(is_served, lanes.take("output_tokens", lane), 0)
    read, written = _predicted(calls, terms, serving, tokens, output, prefixes, has_prefix & is_served,
                               np.where(is_moved | starts[serving], opted[serving], asked[serving]))  # fmt: skip
    is_new = is_served & (is_moved | starts[serving])
    is_new_on = is_new & np.array(is_on)[serving]
    kept = np.maximum(logged_read - np.maximum(before - read, 0), 0)
    read = np.where(is_new, np.where(is_new_on, read, 0), np.where(is_served, kept, 0))
    written = np.where(is_new_on, written, 0)

    change = np.zeros(calls.count, dtype=np.int64)
    neutral = np.zeros(calls.count, dtype=np.int64)
    lost = np.where(is_new | ~is_served, 0, logged_read - read)
    for code in np.unique(serving[(is_new_on & has_prefix) | (lost > 0) | (is_moved & (logged_read > 0))]).tolist():
        here = (serving == code) & is_served
        price = prices_of(lanes.models[code])
        fresh_less_read, written_less_fresh = price.fresh - price.read, price.written - price.fresh
        moved = here & is_new
        change[moved] = (written * written_less_fresh - read * fresh_less_read)[moved]
        change[here & ~is_new] = (lost * fresh_less_read)[here & ~is_new]
        neutral[moved] = (-np.minimum(logged_read, tokens) * fresh_less_read)[moved]
    return Cached(read, written, change, neutral, is_new)


def _asked(calls: Calls, lanes: Lanes) -> Flag:
    """Per model, whether the log shows any cached token of it: then its calls have asked for caching."""
    seen = np.zeros(len(lanes.models) + 1, dtype=np.bool_)
    seen[np.unique(calls.model[(calls.cache_read_tokens > 0) | (calls.cache_write_tokens > 0)])] = True
    return seen[:-1]


def _is_on(name: str, term: CacheTerms | None, spec: PromptCacheSpec) -> bool:
    """Whether moved calls may use this model's cache: automatic ones by `providers`, others by `opt_in` too."""
    provider = name.split("/", maxsplit=1)[0]
    if term is None or spec.providers == "none":
        return False
    named = spec.providers == "auto" or provider in spec.providers
    return named and (term.is_automatic or provider in spec.opt_in)


def _predicted(
    calls: Calls, terms: list[CacheTerms | None], model: Int, tokens: Int, output: Int, prefixes: Prefixes, where: Flag,
    is_opted_in: Flag,
) -> tuple[Int, Int]:  # fmt: skip
    """Tokens read and written per call, 0 outside `where`."""
    read, written = np.zeros(calls.count, dtype=np.int64), np.zeros(calls.count, dtype=np.int64)
    rows = np.flatnonzero(where & ~prefixes.has_blocks)
    if len(rows):
        of_model = model[rows]
        keys = prefixes.sessions[rows] * len(terms) + of_model
        found = predict(
            keys, calls.time_us[rows], tokens[rows], output[rows], term_columns(terms, of_model),
            is_opted_in=is_opted_in[rows],
        )  # fmt: skip
        read[rows], written[rows] = found
    with_blocks = where & prefixes.has_blocks
    rows = np.flatnonzero(with_blocks)
    if prefixes.blocks is not None and len(rows):
        of_model = model[rows]
        found = predict_from_blocks(
            of_model, calls.time_us[rows], tokens[rows], prefixes.blocks.only(with_blocks),
            term_columns(terms, of_model), is_opted_in=is_opted_in[rows], logged_tokens=calls.input_tokens[rows],
        )  # fmt: skip
        read[rows], written[rows] = found
    return read, written
