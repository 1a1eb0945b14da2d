"""Codex rollouts: requests from a counter that only grows, and what several files tell of twice."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from costctl.formats.base import Ignored, Record
from costctl.formats.codex_cli import is_rollout, resolve, unwrap
from tests.support import audited, rows


def usage(given: int, cached: int, output: int, reasoning: int = 0) -> Record:
    return {"input_tokens": given, "cached_input_tokens": cached, "output_tokens": output,
            "reasoning_output_tokens": reasoning, "total_tokens": given + output}  # fmt: skip


def row(second: float, kind: str, **payload: object) -> Record:
    return {"timestamp": f"2026-06-11T10:00:{second:06.3f}Z", "type": kind, "payload": payload}


def state(second: float, total: Record | None, last: Record | None = None) -> Record:
    return row(second, "event_msg", type="token_count", info={"total_token_usage": total, "last_token_usage": last})


def session(second: float, name: str, **members: object) -> Record:
    return row(second, "session_meta", id=name, cwd="/home/dev/timetable", **members)


FIRST, SECOND, THIRD = usage(100, 0, 10), usage(300, 90, 30), usage(700, 300, 60)


def told(lines: Sequence[Record]) -> list[Record]:
    """The requests of a file."""
    assert all(map(is_rollout, lines))
    pieces = [piece for piece in map(unwrap, lines) if not isinstance(piece, Ignored)]
    return [found for found in resolve(pieces) if isinstance(found, dict)]


def test_a_state_told_twice_is_one_request() -> None:
    found = told([state(1, FIRST, FIRST), state(2, FIRST, FIRST), state(3, SECOND, usage(1, 1, 1))])
    assert [(one["input_tokens"], one["cache_read_tokens"], one["output_tokens"]) for one in found] == [
        (100, 0, 10),
        (200, 90, 20),
    ]


def test_a_counter_that_began_anew_and_rows_without_counts() -> None:
    found = told([state(1, SECOND, FIRST), state(2, FIRST, FIRST), row(3, "event_msg", type="token_count", info=None)])
    assert [one["input_tokens"] for one in found] == [100, 100]


def test_the_model_is_the_one_of_the_turn_and_else_unknown() -> None:
    lines = [state(1, FIRST), row(2, "turn_context", model="gpt-5.2-codex", cwd="/x/y"), state(3, SECOND)]
    found = told(lines)
    assert [one["response_model"] for one in found] == [None, "gpt-5.2-codex"]
    assert found[1]["project"] == "y"


def test_fast_turns_are_billed_as_priority() -> None:
    settings = row(0, "event_msg", type="thread_settings_applied", thread_settings={"service_tier": "fast"})
    assert told([settings, state(1, FIRST)])[0]["service_tier"] == "priority"


@pytest.mark.parametrize("seed", range(5))
def test_a_shuffled_file_of_equal_instants_tells_the_same(seed: int) -> None:
    lines = [session(0, "s"), state(1, FIRST), state(1, SECOND), state(1, THIRD), state(2, usage(800, 300, 70))]
    mixed = lines[:]
    random.Random(seed).shuffle(mixed)
    assert sorted(one["input_tokens"] for one in told(mixed)) == sorted(one["input_tokens"] for one in told(lines))


def written(folder: Path, name: str, lines: Sequence[Record]) -> Path:
    path = folder / f"rollout-{name}.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    return path


def input_of(tmp_path: Path, *files: Path) -> int:
    return int(audited(tmp_path, *files).totals["input_tokens"])


PARENT = [session(0, "parent"), state(1, FIRST), state(2, SECOND)]


def test_a_fork_repeats_its_parent_with_other_times(tmp_path: Path) -> None:
    child = [session(5, "child", forked_from_id="parent"), state(5, FIRST), state(5.1, SECOND), state(9, THIRD)]
    one, two = written(tmp_path, "a", PARENT), written(tmp_path, "b", child)
    assert input_of(tmp_path, one, two) == input_of(tmp_path, two, one) == 700
    assert input_of(tmp_path, two) == 700  # alone it holds all of it


def test_sub_agents_that_were_spawned_repeat_it_too(tmp_path: Path) -> None:
    source = {"subagent": {"thread_spawn": {"parent_thread_id": "parent"}}}
    child = [session(5, "child", source=source), state(5, FIRST), state(5, SECOND), state(9, THIRD)]
    report = audited(tmp_path, written(tmp_path, "a", PARENT), written(tmp_path, "b", child), by=("caller",))
    assert report.totals["input_tokens"] == 700
    assert {row["caller"]: row["input_tokens"] for row in rows(report, "by_caller")} == {"agent": 300, "sub-agent": 400}


def test_two_forks_of_a_parent_that_is_not_there(tmp_path: Path) -> None:
    files = [
        written(tmp_path, name, [session(at, name, forked_from_id="gone"), state(at, FIRST), state(at + 1, last)])
        for name, at, last in (("a", 1, SECOND), ("b", 5, THIRD))
    ]
    assert input_of(tmp_path, *files) == 100 + 200 + 600


def test_two_files_of_one_session(tmp_path: Path) -> None:
    resumed = [session(5, "parent"), state(5, FIRST), state(5, SECOND), state(9, THIRD)]
    assert input_of(tmp_path, written(tmp_path, "a", PARENT), written(tmp_path, "b", resumed)) == 700


def test_sessions_of_equal_counts_are_two(tmp_path: Path) -> None:
    other = [session(0, "other"), state(1.5, FIRST), state(2.5, SECOND)]
    assert input_of(tmp_path, written(tmp_path, "a", PARENT), written(tmp_path, "b", other)) == 600


@pytest.mark.parametrize("cut", range(1, 7))
@pytest.mark.parametrize("overlap", [0, 1, 2])
def test_a_file_in_two_pieces_counts_as_one(tmp_path: Path, cut: int, overlap: int) -> None:
    """Wherever it was cut, also where the counter repeats itself."""
    lines = [session(0, "s"), state(1, FIRST, FIRST), state(2, FIRST, FIRST), state(3, SECOND, usage(200, 90, 20)),
             state(4, SECOND, usage(200, 90, 20)), state(5, SECOND, usage(200, 90, 20)),
             state(6, THIRD, usage(400, 210, 30)), state(7, THIRD, usage(400, 210, 30))]  # fmt: skip
    one, two = lines[:cut], lines[max(cut - overlap, 1) :]
    assert input_of(tmp_path, written(tmp_path, "a", one), written(tmp_path, "b", two)) == 700


@pytest.mark.parametrize("is_turned", [False, True])
@pytest.mark.parametrize("cut", [3, 4, 5])
def test_the_second_half_takes_the_model_of_the_first(tmp_path: Path, cut: int, *, is_turned: bool) -> None:
    """The line that names the model is in one half alone; where the halves overlap in a count, both have it."""
    lines = [session(0, "s", model_provider="azure"), row(0.5, "turn_context", model="gpt-5.2-codex", cwd="/x/y"),
             state(1, FIRST, FIRST), state(3, SECOND, usage(200, 90, 20)), state(6, THIRD, usage(400, 210, 30)),
             row(7, "turn_context", model="gpt-5.1-codex-mini"),
             state(8, usage(800, 300, 70), usage(100, 0, 10))]  # fmt: skip
    halves = [written(tmp_path, "a", lines[:cut]), written(tmp_path, "b", lines[cut - 1 :])]
    report = audited(tmp_path, *(halves[::-1] if is_turned else halves), by=("session", "project"))
    whole = audited(tmp_path, written(tmp_path, "c", lines), by=("session", "project"))
    for name in ("by_model", "by_provider", "by_session", "by_project"):
        assert rows(report, name) == rows(whole, name)
    assert {row["model"]: row["input_tokens"] for row in rows(report, "by_model")} == {
        "gpt-5.2-codex": 700, "gpt-5.1-codex-mini": 100,
    }  # fmt: skip


def test_half_a_file_says_what_it_lacks(tmp_path: Path) -> None:
    """Alone, or beside another session, it names no model, and nothing is guessed."""
    half = written(tmp_path, "b", [state(3, SECOND, usage(200, 90, 20)), state(6, THIRD, usage(400, 210, 30))])
    other = written(tmp_path, "a", [session(0, "t"), row(0.5, "turn_context", model="gpt-5"), state(1, FIRST, FIRST)])
    for files in ([half], [half, other]):
        report = audited(tmp_path, *files)
        (warning,) = [item for item in report.warnings if item.code == "W201"]
        assert "2 requests name no model" in warning.message
        assert warning.hint.startswith("the file begins after the line that names the model (turn_context)")
