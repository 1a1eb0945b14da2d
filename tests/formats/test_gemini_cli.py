"""Gemini CLI sessions: documents, lines, states of a message, and where counts lie."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from costctl.formats.agent_counts import counts_of
from costctl.formats.base import Ignored, Outcome, Record
from costctl.formats.gemini_cli import is_session, resolve, unwrap
from tests.support import audited, rows

TOKENS = {"input": 100, "output": 20, "cached": 40, "thoughts": 5, "tool": 0, "total": 125}
HEAD = {
    "sessionId": "s",
    "projectHash": "h",
    "startTime": "2026-06-11T10:00:00Z",
    "directories": ["/home/dev/timetable"],
}


def answer(name: str = "m", tokens: Record | None = TOKENS, minute: int = 1, **members: object) -> Record:
    said = {"id": name, "timestamp": f"2026-06-11T10:{minute:02}:00Z", "type": "gemini", "content": "Listo.",
            "model": "gemini-2.5-pro", "tokens": tokens, **members}  # fmt: skip
    return {key: value for key, value in said.items() if value is not None}


def told(*lines: Record) -> list[Outcome]:
    pieces: list[Record] = []
    for line in lines:
        assert is_session(line)
        pieces += [piece for piece in unwrap(line) if isinstance(piece, dict)]
    return resolve(pieces)


def requests(*lines: Record) -> list[Record]:
    return [found for found in told(*lines) if isinstance(found, dict)]


def test_lines_know_the_session_of_their_head() -> None:
    (found,) = requests(HEAD, answer())
    assert (found["session_id"], found["project"], found["provider"]) == ("s", "timetable", "google")
    assert (found["input_tokens"], found["cache_read_tokens"], found["reasoning_outside_tokens"]) == (100, 40, 5)


def test_of_several_states_of_a_message_the_fullest_counts() -> None:
    fuller = TOKENS | {"output": 90, "total": 195}
    for lines in ((answer(), answer(tokens=fuller)), (answer(tokens=fuller), answer())):
        assert [found["output_tokens"] for found in requests(HEAD, *lines)] == [90]
    outcomes = told(HEAD, answer(tokens=None), answer())
    assert [type(item) for item in outcomes] == [Ignored, Ignored, dict]


def test_messages_without_an_id_are_told_apart() -> None:
    assert len(requests(HEAD, answer(""), answer(""))) == 2


def test_a_document_with_its_messages() -> None:
    session = HEAD | {"kind": "subagent", "messages": [{"id": "u", "type": "user", "content": "x"}, answer()]}
    (found,) = requests(session)
    assert (found["session_id"], found["caller"]) == ("s", "sub-agent")


def test_old_sessions_of_qwen_code_are_its_own() -> None:
    (found,) = requests(HEAD, answer(model="qwen3-coder-plus"))
    assert (found["app"], found["provider"]) == ("qwen-code", None)


@pytest.mark.parametrize("record", [{"$set": {"lastUpdated": "x"}}, {"$rewindTo": "m"}, {"id": "i", "type": "error"}])
def test_other_lines_are_no_requests(record: Record) -> None:
    assert is_session(record)
    assert all(isinstance(item, Ignored) for item in unwrap(record))


@pytest.mark.parametrize("record", [{"type": "user", "id": "i", "name": "x"}, {"type": []}, {"$set": 1, "id": 2}, {}])
def test_lines_of_other_programs(record: Record) -> None:
    assert not is_session(record)


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ({"input": 9, "output": 2, "cached": 4, "thoughts": 3, "tool": 1, "total": 15}, (10, 5, 4)),
        ({"input": 5, "output": 2, "cached": 4, "total": 11}, (9, 2, 4)),
        ({"input": 5, "output": 4, "thoughts": 3, "total": 9}, (5, 4, None)),
        ({"input": 5, "output": 4, "cached": 8}, (13, 4, 8)),
    ],
)
def test_the_total_says_where_counts_lie(tokens: Record, expected: tuple[int | None, ...]) -> None:
    found = counts_of(tokens)
    given = found["input_tokens"] + (found.get("cache_read_outside_tokens") or 0)
    output = found["output_tokens"] + (found.get("reasoning_outside_tokens") or 0)
    read = found.get("cache_read_tokens", found.get("cache_read_outside_tokens"))
    assert (given, output, read) == expected


def test_short_ids_are_used_again_in_other_sessions(tmp_path: Path) -> None:
    for name, minute in (("a", 1), ("b", 2)):
        session = HEAD | {"sessionId": name, "messages": [answer("1", minute=minute)]}
        (tmp_path / f"session-{name}.json").write_text(json.dumps(session), "utf-8")
    report = audited(tmp_path, *sorted(tmp_path.glob("session-*.json")), by=("session",))
    assert report.totals["request_count"] == 2
    assert {row["session"] for row in rows(report, "by_session")} == {"a", "b"}
