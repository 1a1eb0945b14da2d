"""How much of an input is history: what earlier turns of the same conversation put into it.

A log counts the tokens of a whole input only. In a session that grows, each input holds those before it,
so that the difference of two inputs is what stands between them. Where no session shows that, the
characters of earlier turns tell their share of the input; where the log has neither, nothing is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from costctl.replay.calls import Calls, Int, fetch
from costctl.store import Store

NOT_TOLD = -1


@dataclass(frozen=True)
class History:
    """Tokens of earlier turns in each call's input, in all and beyond the last turns; -1 where nothing shows it."""

    all_tokens: Int
    old_tokens: Int  # of turns before the last `max_turns` ones; 0 without such a bound


def history(store: Store, calls: Calls, max_turns: int | None) -> History:
    """The history of every call, from its session, else from the characters of its prompt."""
    found = fetch(
        store,
        "CASE WHEN session_id IS NULL THEN -1 ELSE dense_rank() OVER (ORDER BY session_id, caller) END AS session, "
        "coalesce(CAST(turn_count AS BIGINT), -1) AS turn_count, coalesce(history_chars, -1) AS history_chars, "
        "coalesce(prompt_chars, -1) AS prompt_chars",
    )
    turns: Int = found["turn_count"]
    from_chars = _by_characters(calls, found["history_chars"], found["prompt_chars"], turns, max_turns)
    from_session = _by_session(calls, found["session"], turns, max_turns)
    has_session = from_session[0] != NOT_TOLD
    whole, old = (np.where(has_session, one, other) for one, other in zip(from_session, from_chars, strict=True))
    # One message is the first of a conversation, or sent without what came before; few turns are all kept.
    whole = np.where((whole == NOT_TOLD) & (turns == 1), 0, whole)
    is_kept = max_turns is None or (turns >= 1) & (turns - 1 <= max_turns)
    return History(whole, np.where((old == NOT_TOLD) & is_kept, 0, old))


def _by_characters(
    calls: Calls, history_chars: Int, prompt_chars: Int, turns: Int, max_turns: int | None
) -> tuple[Int, Int]:
    """The share of the prompt's characters that earlier turns have; old turns are taken to be as long as the others."""
    is_told = (history_chars >= 0) & (prompt_chars > 0) & (turns > 0) & (calls.input_tokens >= 0)
    prompt = np.maximum(prompt_chars, 1)
    whole = (2 * calls.input_tokens * np.clip(history_chars, 0, prompt) + prompt) // (2 * prompt)
    earlier = np.maximum(turns - 1, 1)
    beyond = np.zeros_like(turns) if max_turns is None else np.clip(turns - 1 - max_turns, 0, None)
    old = (2 * whole * beyond + earlier) // (2 * earlier)
    return np.where(is_told, whole, NOT_TOLD), np.where(is_told, old, NOT_TOLD)


def _by_session(calls: Calls, session: Int, turns: Int, max_turns: int | None) -> tuple[Int, Int]:
    """By threads: successive answered calls of a session and caller whose inputs, and turns, never fall.

    The turn of a call is what the log counts, or its place in the thread where the log counts none. What a call
    of turn t holds of turns before t - n is the input of the thread's first call of turn t - n or later, less that
    of its first call: base prompt and one user message are in both. A thread whose first call has a later
    turn than the first tells nothing: what came before is not in the log.
    """
    whole, old = (np.full(calls.count, NOT_TOLD, dtype=np.int64) for _ in range(2))
    rows = np.flatnonzero((session >= 0) & calls.is_ok & calls.is_dated & (calls.input_tokens >= 0))
    if not len(rows):
        return whole, old
    rows = rows[np.argsort(session[rows], kind="stable")]
    tokens, turn, of = calls.input_tokens[rows], turns[rows], session[rows]
    begins = np.ones(len(rows), dtype=np.bool_)
    begins[1:] = (of[1:] != of[:-1]) | (tokens[1:] < tokens[:-1])
    begins[1:] |= (turn[1:] >= 0) & (turn[1:] < turn[:-1])
    thread, first = np.cumsum(begins) - 1, np.flatnonzero(begins)
    is_counted = np.minimum.reduceat(turn, first) >= 0
    turn = np.where(is_counted[thread], turn, np.arange(len(rows)) - first[thread] + 1)
    is_told = turn[first][thread] <= 1
    step = int(turn.max()) + 2
    place = thread * step + turn  # rises within a thread and from thread to thread

    def before(back: int) -> Int:
        """Tokens of turns that lie more than `back` turns before each call's own."""
        wanted = thread * step + np.maximum(turn - back, 0)
        found: Int = tokens[np.searchsorted(place, wanted, side="left")] - tokens[first][thread]
        return found

    whole[rows[is_told]] = before(0)[is_told]
    old[rows[is_told]] = 0 if max_turns is None else before(max_turns)[is_told]
    return whole, old
