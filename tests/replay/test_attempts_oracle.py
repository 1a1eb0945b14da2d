"""Attempts against a slow oracle that plays each call alone, as events on a line of time.

The oracle shares no code with the kernels: it has its own mixing of draws and lets every attempt
end at its instant, one event after the other.
"""

from __future__ import annotations

import hashlib
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from costctl.replay.empirical import OK, TIMEOUT
from tests.replay.chains import AttemptRules, Attempts, run

MODELS = 3
SLOTS = 8  # outcomes that a model may have at one time
SEED = 17


def chance(key: int, number: int) -> float:
    word = key + int.from_bytes(hashlib.blake2b(b"17:attempt", digest_size=8).digest(), "little")
    for add in (0, (number + 1) * 0x9E3779B97F4A7C15):
        word = (word + add) % 2**64
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
            word = (word ^ word >> shift) * factor % 2**64
    return (word >> 11) / 2**53


class World(NamedTuple):
    """What may happen: latency and outcome by model, parity of the start time and slot of the draw."""

    latency_us: Any
    outcome: Any

    def draw(self, model, times_us, u):
        place = model, times_us % 2, (u * SLOTS).astype(int)
        return self.latency_us[place], self.outcome[place]

    def one(self, model: int, time_us: int, u: float) -> tuple[int, int]:
        place = model, time_us % 2, int(u * SLOTS)
        return int(self.latency_us[place]), int(self.outcome[place])


def play(world: World, rules: AttemptRules, chain: list[int], start: int, key: int) -> dict[str, Any]:
    """One call, from its start to its answer or its end."""
    candidates = [(position, model) for position, model in enumerate(chain) if model >= 0]
    story: dict[str, Any] = {
        "final_position": -1, "final_model": -1, "status": -1, "attempt_count": 0, "retry_count": 0,
        "hedge_count": 0, "timeout_count": 0, "billed_count": [0] * len(chain), "timed_out_count": [0] * len(chain),
    }  # fmt: skip
    now = start
    for position, model in candidates:
        story.update(final_position=position, final_model=model)
        for number in range(rules.retries_max + 1):
            if number:
                story["retry_count"] += 1
                now += rules.backoff_us * 2 ** (number - 1)
            now = one_try(world, rules, story, now, key, number)
            if story["status"] not in rules.retry_on:
                break
        if story["status"] == OK:
            break
    first = candidates[0][0] if candidates else -1
    return {**story, "latency_us": now - start, "is_fallback": story["final_position"] != first}


def one_try(world: World, rules: AttemptRules, story: dict[str, Any], now: int, key: int, number: int) -> int:
    """Let the attempts of one try begin and end; gives back when the try is over."""
    position, model = story["final_position"], story["final_model"]
    at = dict(enumerate(rules.timeout_us)).get(position)
    deadline = None if at is None else now + at
    base = (position * 32768 + number) * 2
    latency, outcome = world.one(model, now, chance(key, base))
    running = [(now + latency, outcome)]
    after = dict(enumerate(rules.hedge_after_us)).get(position)
    if after is not None and latency > after and (deadline is None or now + after < deadline):
        latency, outcome = world.one(model, now + after, chance(key, base + 1))
        running.insert(0, (now + after + latency, outcome))
        story["hedge_count"] += 1
    story["attempt_count"] += len(running)
    # Of two that end at the same instant the first attempt has the last word.
    running.sort(key=lambda event: event[0])
    answers = timeouts = 0
    while running and (deadline is None or running[0][0] <= deadline):
        now, outcome = running.pop(0)
        timeouts += outcome == TIMEOUT
        if not answers:
            last = outcome
        if outcome == OK:
            answers, last = 1, OK
            # What ends at the same instant has ended; what is still running is paid all the same.
            answers += sum(end > now or other == OK for end, other in running)
            timeouts += sum(end == now and other == TIMEOUT for end, other in running)
            running.clear()
    if running:
        now, last = deadline, TIMEOUT
        timeouts += len(running)
    story["status"] = last
    story["timeout_count"] += last == TIMEOUT
    story["billed_count"][position] += answers + timeouts * rules.timed_out_is_billed
    story["timed_out_count"][position] += timeouts
    return now


times = st.integers(0, 12)
rules_of_any_kind = st.builds(
    AttemptRules,
    timeout_us=st.lists(st.none() | times, max_size=4).map(tuple),
    retries_max=st.integers(0, 3),
    backoff_us=st.integers(0, 5),
    retry_on=st.frozensets(st.integers(1, 4)),
    hedge_after_us=st.lists(st.none() | times, max_size=4).map(tuple),
    timed_out_is_billed=st.booleans(),
)


@settings(max_examples=300, deadline=None)
@given(rules_of_any_kind, st.integers(0, 4), st.integers(0, 12), st.integers(0, 2**32), st.floats(0, 1))
def test_it_agrees_with_the_oracle(
    rules: AttemptRules, positions: int, calls: int, luck: int, failure_ratio: float
) -> None:
    """Every output, exactly, for any chains, rules and outcomes; times are short, so that ties are common."""
    rng = np.random.default_rng(luck)
    shape = (MODELS, 2, SLOTS)
    fails = rng.random(shape) < failure_ratio
    world = World(rng.integers(0, 15, shape), np.where(fails, rng.integers(1, 5, shape), OK).astype(np.int8))
    chain = rng.integers(-1, MODELS, (calls, positions)).astype(np.int16)
    starts, keys = rng.integers(0, 100, calls), rng.integers(0, 2**64, calls, dtype=np.uint64)
    made = run(chain, starts, world.draw, rules, seed=SEED, call_keys=keys)
    rows = zip(chain.tolist(), starts.tolist(), keys.tolist(), strict=True)
    stories = [play(world, rules, *row) for row in rows]
    for field in fields(Attempts):
        found = getattr(made, field.name).tolist()
        assert found == [story[field.name] for story in stories], field.name
