"""What a call sends under the policy, on whatever tier: its input step by step, and whether it may wait.

Tokens are the log's own; another model's count follows from them as for any call. Only calls that could
have moved are changed, and nothing of it concerns the lane that leaves a call as the log has it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import NamedTuple

import numpy as np

from costctl.policy.schema import Policy
from costctl.policy.stages import Compression, Context
from costctl.prices.published import read_data
from costctl.replay.calls import Calls, Flag, Int, fetch
from costctl.replay.conditions import Conditions
from costctl.replay.history import NOT_TOLD, history
from costctl.store import Store

CHARS_PER_TOKEN = 4  # of an instruction: the rule of thumb for English; no vocabulary is shipped
HOUR_US = 3_600 * 10**6


class Buckets(NamedTuple):
    """Input tokens of every call as the log splits them, and what of the fresh ones is text."""

    fresh: Int
    read: Int
    written_5m: Int
    written_1h: Int
    written_other: Int
    media: Int  # of the fresh ones: audio and images

    @property
    def total(self) -> Int:
        """All of the input."""
        return self.fresh + self.read + self.written_5m + self.written_1h + self.written_other


@dataclass(frozen=True)
class Step:
    """One change of the input: a row of the waterfall, the calls whose input it changes, the input after it."""

    stage: str
    title: str
    is_changed: Flag
    tokens: Buckets


@dataclass(frozen=True)
class Waiting:
    """Calls that may wait, and how long."""

    may_wait: Flag
    max_delay_us: int

    def is_batched(self, price_key: str) -> bool:
        """Whether a batch of this model's seller is answered in time."""
        window_us = batch_window_us(price_key)
        return window_us is not None and window_us <= self.max_delay_us


@dataclass(frozen=True)
class Sent:
    """What the policy sends: columns over all calls, which no lane changes."""

    before: Buckets
    steps: tuple[Step, ...]
    waiting: Waiting | None
    compressed_tokens: Int  # what the compressor reads
    summarised_tokens: Int  # what the summariser reads, and what it writes
    summary_tokens: Int
    instructions: tuple[tuple[str, int], ...] = field(default=())  # by raise: its name and tokens
    is_unsplit: Flag = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))  # history that nothing shows

    @property
    def stages(self) -> tuple[tuple[str, str], ...]:
        """Name and title of each step of the price, in order; waiting is the last."""
        waits = (("batch", "batch prices"),) if self.waiting else ()
        return (*((one.stage, one.title) for one in self.steps), *waits)

    @property
    def after(self) -> Buckets:
        """The input as it is sent."""
        return self.steps[-1].tokens if self.steps else self.before

    @property
    def is_changed(self) -> Flag:
        """Calls that send something else than the log shows."""
        found = np.zeros(len(self.before.fresh), dtype=np.bool_)
        for step in self.steps:
            found |= step.is_changed
        return found

    def changed_by(self, stage: str) -> Flag:
        """The calls that one step changes."""
        for step in self.steps:
            if step.stage == stage:
                return step.is_changed
        return np.zeros(len(self.before.fresh), dtype=np.bool_)


def sent_of(store: Store, policy: Policy, calls: Calls, raised_by: Callable[[], Int]) -> Sent | None:
    """What the policy sends; None where none of its keys changes that.

    `raised_by` gives the raise that brought each call to its tier, -1 where none did.
    """
    said = [one.add_instruction for one in policy.routing.raises]
    is_context = policy.context is not None and policy.context != Context()
    if not (is_context or policy.compression or policy.batch or any(said)):
        return None
    movable = calls.is_movable
    before = _as_logged(store, calls)
    steps: list[Step] = []
    nothing = np.zeros(calls.count, dtype=np.int64)
    compressed, summarised, summary = nothing, nothing, nothing
    instructions: tuple[tuple[str, int], ...] = ()
    is_unsplit = np.zeros(calls.count, dtype=np.bool_)
    tokens = before
    if policy.context is not None and is_context:
        tokens, summarised, summary, is_unsplit = _shortened(
            store, calls, policy.context, policy.assume.summary_tokens_ratio, tokens
        )
        is_cut = (tokens.total != before.total) | (tokens.read != before.read)
        steps.append(Step("history", "history window and summaries", is_cut, tokens))
    if policy.compression is not None:
        was = tokens
        tokens, compressed = _compressed(movable, policy.compression, was)
        steps.append(Step("compression", "prompt compression", tokens.fresh != was.fresh, tokens))
    if any(said):
        counts = np.array([0 if text is None else instruction_tokens(text) for text in said] + [0])
        added = np.where(movable, counts[raised_by()], 0)
        tokens = tokens._replace(fresh=tokens.fresh + added)
        steps.append(Step("instruction", "added instructions", added > 0, tokens))
        instructions = tuple(
            (one.name, int(count))
            for one, count in zip(policy.routing.raises, counts.tolist()[:-1], strict=True)
            if count
        )
    waiting = None
    if policy.batch is not None:
        may_wait = movable & _on_endpoints(store, policy.batch.endpoints)
        waiting = Waiting(may_wait, policy.batch.max_delay_us)
    return Sent(before, tuple(steps), waiting, compressed, summarised, summary, instructions, is_unsplit)


def instruction_tokens(text: str) -> int:
    """About how many tokens a text is: a quarter of its characters, halves up, and one at least.

    >>> instruction_tokens("Do not invent; use only the data given.")
    10
    """
    return max((2 * len(text) + CHARS_PER_TOKEN) // (2 * CHARS_PER_TOKEN), 1)


def batch_window_us(price_key: str) -> int | None:
    """How long a batch of this model's seller may take, None where the seller has no batch API that we know of.

    >>> batch_window_us("openai/gpt-4.1") == 24 * HOUR_US, batch_window_us("self/llama-3.1-8b")
    (True, None)
    """
    _, _, place = price_key.rpartition("@")
    seller = place.partition(":")[0] if "@" in price_key else ""
    # Some ids end in @ and a date: those are the provider's own.
    provider = seller if seller and not seller[0].isdigit() else price_key.partition("/")[0]
    hours = _windows().get(provider)
    return None if hours is None else hours * HOUR_US


@cache
def _windows() -> dict[str, int]:
    return {name: entry["hours"] for name, entry in read_data("batch.yaml")["windows"].items()}


def _as_logged(store: Store, calls: Calls) -> Buckets:
    found = fetch(
        store,
        "coalesce(input_uncached_tokens, 0) AS fresh, coalesce(cache_read_tokens, 0) AS read, "
        "coalesce(cache_write_5m_tokens, 0) AS written_5m, coalesce(cache_write_1h_tokens, 0) AS written_1h, "
        "coalesce(cache_write_other_tokens, 0) AS written_other, coalesce(input_image_tokens, 0) + "
        "greatest(coalesce(input_audio_tokens, 0) - coalesce(cache_read_audio_tokens, 0), 0) AS media",
    )
    found["media"] = np.minimum(found["media"], found["fresh"])
    tokens = Buckets(**{name: column.astype(np.int64) for name, column in found.items()})
    assert (tokens.total == calls.input_tokens)[calls.is_movable].all(), "the buckets are not the input"
    return tokens


def _on_endpoints(store: Store, endpoints: tuple[str, ...]) -> Flag:
    """Calls of these endpoints that are not batched in the log already."""
    conditions = Conditions()
    tests = " OR ".join(conditions.equals("endpoint", text) for text in endpoints)
    wanted = f"({tests}) AND coalesce(lower(service_tier), '') <> 'batch' AS may_wait"
    holds: Flag = fetch(store, wanted, conditions.params)["may_wait"]
    return holds


def times(tokens: Int, ratio: Decimal) -> Int:
    """Tokens times a ratio of six decimals, halves rounded up."""
    over, under = round(ratio, 6).as_integer_ratio()
    return (2 * tokens * over + under) // (2 * under)


def _shortened(
    store: Store, calls: Calls, spec: Context, summary_ratio: Decimal, before: Buckets
) -> tuple[Buckets, Int, Int, Flag]:
    """The input without old turns and with a summary, what the summaries replace, their own tokens, what is unknown."""
    movable, total = calls.is_movable, before.total
    told = history(store, calls, spec.max_history_turns)
    is_unsplit = movable & (told.old_tokens == NOT_TOLD)
    whole = np.where(movable, np.maximum(told.all_tokens, 0), 0)
    dropped = np.where(movable, np.maximum(told.old_tokens, 0), 0)
    replaced = np.zeros_like(total)
    if spec.summarise_over_tokens is not None:
        above = np.maximum(total - dropped - spec.summarise_over_tokens, 0)
        replaced = np.where(movable, np.minimum(above, whole - dropped), 0)
        is_unsplit |= movable & (above > 0) & (told.all_tokens == NOT_TOLD)
    summary = times(replaced, summary_ratio)
    removed = dropped + replaced
    return _without(before, removed, summary, total - whole), replaced, summary, is_unsplit


def _without(before: Buckets, removed: Int, added: Int, base: Int) -> Buckets:
    """The input less what is removed: of a prompt cache it reads at most what stands before the history.

    What it can no longer read is fresh; it writes what the log shows, at most what is left.
    """
    is_cut = removed > 0
    left = before.total - removed + added
    read = np.where(is_cut, np.minimum(before.read, base), before.read)
    left = left - read
    written = {}
    for name in ("written_5m", "written_1h", "written_other"):
        column = getattr(before, name)
        written[name] = np.where(is_cut, np.minimum(column, left), column)
        left = left - written[name]
    return before._replace(fresh=left, read=read, media=np.minimum(before.media, left), **written)


def _compressed(movable: Flag, spec: Compression, before: Buckets) -> tuple[Buckets, Int]:
    """The input with its fresh text compressed, and how much of it the compressor reads."""
    text = before.fresh - before.media
    read = np.where(movable & (text >= max(spec.min_input_tokens, 1)), text, 0)
    return before._replace(fresh=before.fresh - read + times(read, spec.ratio_kept)), read
