"""How much of a conversation is sent: the history window and summaries, worked out by hand.

A base prompt of 500 tokens, questions of 100 and answers of 400: the input of turn k is 600 + 500 x (k - 1).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from costctl.replay.history import NOT_TOLD, history
from tests.replay.around import ASSUME, TIERS, Around, call, usd
from tests.replay.compare import Bench, book
from tests.replay.logs import Row, make_log, store_of

TO_B = "routing: {default: B}\n"
WINDOW = "context: {max_history_turns: 1}\n"
SUMMARY = "context: {summarise_over: 1k, summariser: A}\n"


def turn(number: int, *, count: int | None = 0, **said: Any) -> Row:
    """The call of a turn, from 1; `count` 0 counts its turns as they are, None does not."""
    tokens = said.pop("tokens", 600 + 500 * (number - 1))
    turn_count = number if count == 0 else count
    return call(number, tokens=tokens, session_id="s", turn_count=turn_count, output_tokens=400, **said)


def sent(found: Around) -> list[int]:
    """The input tokens that each call sends."""
    return [one["sent_input_tokens"] for one in found.made]


@pytest.mark.parametrize("count", [0, None])
@pytest.mark.parametrize(
    ("window", "expected"),
    [(1, [600, 1100, 1100, 1100, 1100]), (2, [600, 1100, 1600, 1600, 1600]), (4, [600, 1100, 1600, 2100, 2600])],
)
def test_the_last_turns_are_sent(count: int | None, window: int, expected: list[int]) -> None:
    """Also where the log counts no turns: then each call of the session is one."""
    rows = [turn(number, count=count) for number in range(1, 6)]
    found = Around(TIERS + TO_B + f"context: {{max_history_turns: {window}}}\n", rows)
    assert sent(found) == expected
    cut = [600 + 500 * place - tokens for place, tokens in enumerate(expected)]
    assert found.change("history") == -sum(cut) * usd("0.0000025")
    assert found.totals["shortened_count"] == sum(tokens > 0 for tokens in cut)
    assert [one["is_moved"] for one in found.made] == [tokens > 0 for tokens in cut]
    assert ("W240" in found.codes()) == any(cut)


def test_several_calls_of_one_turn_keep_what_the_turn_holds() -> None:
    """An agent's call with a tool result in it: it is no turn, and what it added stays."""
    rows = [turn(1), turn(2), call(3, tokens=1900, session_id="s", turn_count=2), turn(4, count=3, tokens=2400)]
    # Of the last, turn 1 goes: what stands before the first call of turn 2.
    assert sent(Around(TIERS + TO_B + WINDOW, rows)) == [600, 1100, 1900, 1900]


def test_a_session_that_does_not_grow_shows_no_history() -> None:
    rows = [turn(number, count=None, tokens=tokens) for number, tokens in enumerate((900, 700, 800, 600, 500), 1)]
    found = Around(TIERS + TO_B + WINDOW, rows)
    assert sent(found) == [900, 700, 800, 600, 500]


def test_one_message_is_sent_whole_however_long_the_session_is() -> None:
    rows = [turn(number, count=1) for number in range(1, 6)]
    assert sent(Around(TIERS + TO_B + WINDOW, rows)) == [600, 1100, 1600, 2100, 2600]


def test_without_a_session_the_characters_of_the_history_tell_its_tokens() -> None:
    """Five turns, four of them earlier: three of four go, three quarters of 60 % of 2,000 tokens."""
    chars = {"prompt_chars": 10_000, "history_chars": 6_000}
    found = Around(TIERS + TO_B + WINDOW, [call(1, tokens=2000, turn_count=5, **chars)])
    assert sent(found) == [1100]


def test_a_call_of_which_nothing_is_shown_is_sent_whole_and_counted() -> None:
    """The first turn is not in the log, the second call counts few turns, of the third nothing is known."""
    rows = [turn(5), turn(6), call(7, turn_count=2), call(8)]
    found = Around(TIERS + TO_B + WINDOW, rows)
    assert sent(found) == [2600, 3100, 5000, 5000]
    (told,) = [one.message for one in found.report.warnings if one.code == "W241"]
    assert told.startswith("3 calls are sent whole")


def test_a_cut_prompt_reads_no_more_of_its_cache_than_stands_before_the_history() -> None:
    rows = [turn(number) for number in (1, 2, 3)]
    rows.append(turn(4, input_uncached_tokens=600, cache_read_tokens=1500))
    found = Around(TIERS + TO_B + WINDOW, rows)
    # 600 of 1,100 tokens are base and question: 500 x 2.5 + 600 x 1.25 + 400 x 10.
    assert found.costs()[3] == usd("0.006")
    assert found.made[3]["cache_read_tokens"] == 600
    assert found.made[3]["baseline_cost_usd"] == usd("0.007375")
    with_caches = Around(TIERS + TO_B + WINDOW + "cache: {prompt: {providers: auto}}\n", rows)
    assert with_caches.costs()[3] == usd("0.006")


def test_a_cut_prompt_finds_nothing_of_its_session_on_another_model() -> None:
    rows = [turn(number, tokens=2000 + 500 * number, started_at=call(0)["started_at"]) for number in range(1, 5)]
    policy = TIERS + ASSUME + "routing: {default: A}\ncache: {prompt: {providers: auto}}\n"
    whole, cut = Around(policy, rows), Around(policy + WINDOW, rows)
    assert [one["cache_read_tokens"] > 0 for one in whole.made] == [False, True, True, True]
    assert [one["cache_read_tokens"] > 0 for one in cut.made] == [False, True, False, False]


def test_the_oldest_history_above_a_size_becomes_a_summary() -> None:
    rows = [turn(number) for number in range(1, 5)]
    found = Around(TIERS + TO_B + SUMMARY, rows)
    # 100, 600 and 1,100 tokens above 1,000 are replaced by a fifth.
    assert sent(found) == [600, 1020, 1120, 1220]
    (beside,) = found.rows("extra_calls")
    assert (beside["name"], beside["model"], beside["call_count"], beside["input_tokens"]) == (
        "summariser", "gpt-4o-mini", 3, 1800,
    )  # fmt: skip
    assert beside["cost_usd"] == usd("0.00027") + usd("0.000216")  # 1,800 x 0.15 + 360 x 0.60
    assert found.change("history") == usd("0.000486") - 1440 * usd("0.0000025")
    assert {"W240", "W244"} <= found.codes()
    said = Around(TIERS + TO_B + SUMMARY + "assume: {summary_tokens_ratio: 0.5}\n", rows)
    assert sent(said) == [600, 1050, 1300, 1550]


def test_what_the_window_has_dropped_is_not_summarised() -> None:
    rows = [turn(number) for number in range(1, 5)]
    both = WINDOW.replace("}", ", summarise_over: 1k, summariser: A}")
    found = Around(TIERS + TO_B + both, rows)
    assert sent(found) == [600, 1020, 1020, 1020]
    assert found.rows("extra_calls")[0]["input_tokens"] == 300


def test_a_long_question_is_no_history() -> None:
    found = Around(TIERS + TO_B + SUMMARY, [turn(1, tokens=5000), turn(2, tokens=5100)])
    assert sent(found) == [5000, 5020]


@pytest.mark.parametrize("seed", range(4))
def test_no_history_is_longer_than_its_input_and_no_window_longer_than_another(seed: int) -> None:
    rows = make_log(seed)
    with store_of(rows, book()) as store:
        calls = Bench("history", rows, store).calls
        found = [history(store, calls, window) for window in (1, 2, 5, None)]
    for narrow, wide in pairwise(found):
        assert (narrow.all_tokens == wide.all_tokens).all()
        both = (narrow.old_tokens != NOT_TOLD) & (wide.old_tokens != NOT_TOLD)
        assert (narrow.old_tokens[both] >= wide.old_tokens[both]).all()
        told = narrow.all_tokens != NOT_TOLD
        assert (narrow.old_tokens[told] <= narrow.all_tokens[told]).all()
        assert (narrow.all_tokens[told] <= np.maximum(calls.input_tokens[told], 0)).all()
