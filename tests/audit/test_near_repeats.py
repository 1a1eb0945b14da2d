"""Near repeats in the anatomy: what a semantic cache would have served, compared only where it is asked for."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from costctl.render.people import to_terminal
from costctl.reuse import embed
from tests.support import audited, rows

ASKED = "How can I change the delivery address of my order?"
NEAR = "How can I change the delivery address of my order, please?"


def call(minute: int, words: str, **more: Any) -> dict[str, Any]:
    """1,000 tokens in and 100 out of gpt-4o: $0.0035."""
    return {
        "id": f"r{minute}", "timestamp": f"2026-03-02T{10 + minute // 60}:{minute % 60:02}:00Z", "model": "gpt-4o",
        "messages": [{"role": "user", "content": words}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100}, **more,
    }  # fmt: skip


def bill(folder: Path, calls: list[dict[str, Any]], **options: Any) -> dict[str, dict[str, Any]]:
    """The rows of the anatomy by class; they sum to the total."""
    folder.mkdir(exist_ok=True)
    log = folder / "log.jsonl"
    log.write_text("".join(json.dumps(one) + "\n" for one in calls), "utf-8")
    report = audited(folder, log, **options)
    found = {row["class"]: row for row in rows(report, "anatomy")}
    assert sum(row["list_cost_usd"] or 0 for row in found.values()) == report.totals["list_cost_usd"]
    return found


def test_it_is_computed_where_it_is_asked_for(tmp_path: Path) -> None:
    calls = [call(0, ASKED), call(1, NEAR), call(2, ASKED), call(3, "What is the capital of Peru?")]
    unasked = bill(tmp_path, calls)["near_repeat"]
    assert (unasked["request_count"], unasked["list_cost_usd"]) == (None, None)
    assert "--near-repeats" in unasked["note"]
    found = bill(tmp_path, calls, has_near_repeats=True)
    assert found["near_repeat"]["request_count"] == 1
    assert found["near_repeat"]["list_cost_usd"] == Decimal("0.0035")
    assert found["near_repeat"]["recoverable_usd"] == Decimal("0.0035")
    assert "the log does not show" in found["near_repeat"]["note"]
    assert found["exact_repeat"]["request_count"] == 1


def test_what_differs_in_a_number_or_lies_a_day_apart_is_none(tmp_path: Path) -> None:
    calls = [call(0, "Book a table for 2 people tonight"), call(1, "Book a table for 4 people tonight"),
             call(2, ASKED), call(3, NEAR, timestamp="2026-03-03T10:02:00Z"),
             call(4, "hello there my friend", app="a"), call(5, "hello there my dear friend", app="b")]  # fmt: skip
    assert bill(tmp_path, calls, has_near_repeats=True)["near_repeat"]["request_count"] == 0


def test_dollars_stand_beside_the_interval_of_wrong_answers(tmp_path: Path) -> None:
    things = ("invoice", "refund", "parcel", "password", "coupon", "seat", "visa", "bag")
    subjects = [f"{thing} {place}" for thing in things for place in ("store", "office", "airport", "school", "hotel")]
    calls = []
    for number, subject in enumerate(subjects):
        answer = f"To settle your {subject} go to the page of {subject} matters and follow what it says there."
        words = f"Can you tell me what I have to do about my {subject} today"
        calls += [call(3 * number, words, response=answer), call(3 * number + 1, f"{words} please", response=answer),
                  call(3 * number + 2, words, response=f"{answer} Write to us where not.")]  # fmt: skip
    row = bill(tmp_path, calls, has_near_repeats=True)["near_repeat"]
    assert row["request_count"] >= 20
    assert 0 <= row["recoverable_usd"] <= row["list_cost_usd"]
    assert "of the hits would be wrong answers" in row["note"]
    assert " to $" in row["note"]


def test_what_passes_for_near_is_told_on_every_output(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    for calls in ([call(0, ASKED), call(1, NEAR)], [call(0, ASKED)]):
        log.write_text("".join(json.dumps(one) + "\n" for one in calls), "utf-8")
        report = audited(tmp_path, log, has_near_repeats=True, embedding="words")
        (row,) = (one for one in rows(report, "anatomy") if one["class"] == "near_repeat")
        assert "similarity from 0.90 on, with equal numbers, times and names, by words" in row["note"]
        (said,) = (one.message for one in report.warnings if one.code == "W230")
        assert said.startswith("near repeats: similarity from 0.90 on") and "another language" in said
        assert "similarity from 0.90 on" in to_terminal(report, 200).split("COST JUMPS")[0].split("[W230]")[0]
    assert "W230" not in {one.code for one in audited(tmp_path, log).warnings}


def test_differing_vectors_of_one_prompt_are_told(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    calls = [
        call(0, ASKED, embedding=[1.0, 0.0]),
        call(1, ASKED, embedding=[0.0, 1.0]),
        call(2, NEAR, embedding=[1, 0]),
    ]
    log.write_text("".join(json.dumps(one) + "\n" for one in calls), "utf-8")
    report = audited(tmp_path, log, has_near_repeats=True, embedding="log")
    assert "W239" in {one.code for one in report.warnings}


def test_without_times_nothing_is_known_to_repeat(tmp_path: Path) -> None:
    """Equal and near prompts, of which none is known to come first; with one time still none is before another."""
    calls = [call(0, ASKED), call(1, ASKED), call(2, NEAR)]
    dateless = [{key: value for key, value in one.items() if key != "timestamp"} for one in calls]
    found = bill(tmp_path, dateless, has_near_repeats=True)
    for name in ("exact_repeat", "near_repeat"):
        assert found[name]["request_count"] is None
        assert found[name]["note"].startswith("not identifiable: no request with a prompt has a time")
        assert "--map started_at=" in found[name]["note"]
    some = bill(tmp_path / "some", [*calls[1:], *dateless[:1]], has_near_repeats=True)
    assert (some["exact_repeat"]["request_count"], some["near_repeat"]["request_count"]) == (0, 1)
    for name in ("exact_repeat", "near_repeat"):
        assert some[name]["note"].endswith("; 1 request without a time not compared")


def test_words_say_what_would_find_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed, "_wordllama_folder", lambda: None)
    embed._wordllama_parts.cache_clear()
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(one) + "\n" for one in [call(0, ASKED), call(1, NEAR)]), "utf-8")
    (said,) = [one for one in audited(tmp_path, log, has_near_repeats=True).warnings if one.code == "W230"]
    assert "by words" in said.message
    assert "pip install 'costctl[semantic]'" in said.hint
    not_there = bill(tmp_path / "named", [call(0, ASKED)], has_near_repeats=True, embedding="wordllama")["near_repeat"]
    assert not_there["note"] == "not identifiable: the embedding 'wordllama' is not installed"
