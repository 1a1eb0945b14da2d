"""The calls of an invented service, as any tracing tool may have seen them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from costctl.samples.expected import Counts
from costctl.samples.jsonl import at, new_id
from costctl.samples.texts import SYSTEMS, answer, fill

MODELS = (
    ("openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
    ("anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
    ("openai", "gpt-5-nano", "gpt-5-nano-2025-08-07"),
)  # fmt: skip


class Call(NamedTuple):
    """One call of a model; counts are None where it failed, input holds cached tokens, output reasoning."""

    number: int
    trace_id: str
    answer_id: str
    provider: str
    asked_model: str
    model: str
    started_at: datetime
    ended_at: datetime
    question: str
    answer: str
    input_tokens: int | None
    output_tokens: int | None
    cache_read: int
    cache_write: int
    reasoning: int
    has_failed: bool
    user: str
    session: str

    @property
    def known_input(self) -> int:
        """Input of a call that did not fail."""
        assert self.input_tokens is not None, "only answered calls are asked"
        return self.input_tokens

    @property
    def known_output(self) -> int:
        """Output of a call that did not fail."""
        assert self.output_tokens is not None, "only answered calls are asked"
        return self.output_tokens


SYSTEM = SYSTEMS["/chat"]


def calls(rng: Random, count: int = 12) -> Iterator[Call]:
    """Calls of three models in traces of two; the eleventh fails, cache reads and writes come and go."""
    trace = ""
    for number in range(count):
        if number % 2 == 0:
            trace = hexes(rng, 32)
        provider, asked, model = MODELS[number % 3]
        has_failed = number == 10
        fresh, reasoning = rng.randrange(60, 900), rng.randrange(64, 400) if model.startswith("gpt-5") else 0
        read = rng.randrange(8, 16) * 128 if number % 4 == 3 else 0
        write = rng.randrange(1100, 1900) if provider == "anthropic" and not read else 0
        start = at(number * 7) + timedelta(microseconds=rng.randrange(1_000_000))
        yield Call(
            number, trace, new_id(rng, "msg_01" if provider == "anthropic" else "chatcmpl-"), provider, asked, model,
            start, start + timedelta(microseconds=rng.randrange(300_000, 9_000_000)),
            fill(rng, "faq", "es" if number % 2 else "en"), answer("faq", "es" if number % 2 else "en"),
            None if has_failed else fresh + read + write, None if has_failed else reasoning + rng.randrange(20, 300),
            0 if has_failed else read, 0 if has_failed else write, 0 if has_failed else reasoning, has_failed,
            f"u-{number % 5 + 1:03d}", f"web-{number // 4:03d}",
        )  # fmt: skip


def count_call(counts: Counts, call: Call) -> None:
    """Count a call as a request."""
    counts.request(
        call.input_tokens, call.output_tokens, cache_read=call.cache_read, cache_write=call.cache_write,
        reasoning=call.reasoning, is_error=call.has_failed,
    )  # fmt: skip


def hexes(rng: Random, length: int) -> str:
    """An id in lower-case hex."""
    return f"{rng.getrandbits(length * 4):0{length}x}"


def uuid(rng: Random) -> str:
    """An id in the form of a UUID."""
    text = hexes(rng, 32)
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
