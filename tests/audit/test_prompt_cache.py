"""Missed prompt caching, worked by hand: what is claimed, what is not, and why nothing can be said."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from costctl.audit.options import midnight
from costctl.report import Report
from tests.support import audited, rows

SONNET = {"model": "claude-sonnet-4-5", "provider": "anthropic"}
COMMON = {"output_tokens": 100, "cached_input_tokens": 0, "session_id": "s"}


def made(tmp_path: Path, *lines: dict[str, Any], **options: Any) -> Report:
    """Requests a minute apart that name a session and say that nothing was cached."""
    path = tmp_path / "log.jsonl"
    whole = [
        {**COMMON, "request_id": f"r{n}", "timestamp": f"2026-03-02T10:{n:02d}:00Z", **line}
        for n, line in enumerate(lines)
    ]
    path.write_text("".join(json.dumps({k: v for k, v in row.items() if v is not None}) + "\n" for row in whole))
    return audited(tmp_path, path, **options)


def missed(report: Report) -> dict[str, Any]:
    return next(row for row in rows(report, "anatomy") if row["class"] == "prompt_cache_miss")


def found(report: Report) -> tuple[int, Decimal, Decimal]:
    row = missed(report)
    assert sum(one["list_cost_usd"] or 0 for one in rows(report, "anatomy")) == report.totals["list_cost_usd"]
    return row["request_count"], row["list_cost_usd"], row["recoverable_usd"]


def sonnet(*inputs: int, **more: Any) -> list[dict[str, Any]]:
    return [{**SONNET, "input_tokens": tokens, **more} for tokens in inputs]


NOTHING = (0, Decimal(0), Decimal(0))
# 3,000 in at 3.00, 100 out at 15.00.
# The first writes 2,000 at 0.75 more, the second 1,000, and reads 2,000 at 2.70 less.
ONE_TURN = (1, Decimal("0.0105"), Decimal("0.00315"))


def test_a_session_that_never_asked(tmp_path: Path) -> None:
    report = made(tmp_path, *sonnet(2000, 3000))
    assert found(report) == ONE_TURN
    assert missed(report)["note"] == (
        "estimated from sessions, each request repeating the one before: <$0.01 of input would have been read; "
        "net of writes"
    )
    assert "prompt_cache_misses" not in report.provenance["not_computed"]  # type: ignore[operator]


def test_what_all_requests_would_pay_for_writing_is_taken_off(tmp_path: Path) -> None:
    """A lone request of 2,000 writes for 0.0015; three of them make caching dearer than it is worth."""
    alone = [{**one, "session_id": f"alone {n}"} for n, one in enumerate(sonnet(2000, 2000, 2000))]
    assert found(made(tmp_path, *sonnet(2000, 3000), *alone[:1])) == (1, Decimal("0.0105"), Decimal("0.00165"))
    assert found(made(tmp_path, *sonnet(2000, 3000), *alone)) == NOTHING


@pytest.mark.parametrize(
    "lines",
    [
        [*sonnet(2000), *sonnet(3000, cached_input_tokens=1)],  # it has asked
        [*sonnet(2000), {**sonnet(3000)[0], "session_id": "other"}],
        [*sonnet(2000), {**sonnet(3000)[0], "caller": "other"}],
        [*sonnet(2000), {**sonnet(3000)[0], "timestamp": "2026-03-02T10:05:00Z"}],  # five minutes later
        sonnet(1000, 1001),  # below the minimum
        [{"model": "gpt-4o", "input_tokens": 2000}, {"model": "gpt-4o-mini", "input_tokens": 3000}],
    ],
)
def test_what_is_no_miss(tmp_path: Path, lines: list[dict[str, Any]]) -> None:
    assert found(made(tmp_path, *lines)) == NOTHING


def test_requests_that_nothing_can_be_said_of_are_counted_in_the_note(tmp_path: Path) -> None:
    report = made(tmp_path, *sonnet(2000, 3000), *sonnet(9000, session_id=None))
    assert found(report) == ONE_TURN
    assert missed(report)["note"].endswith(
        "; net of writes; 1 request without a session or blocks, or without a time, is not judged"
    )


def test_another_session_that_asked_takes_nothing_from_one_that_did_not(tmp_path: Path) -> None:
    asked = [{**one, "session_id": "asked", "cached_input_tokens": 1000} for one in sonnet(2000, 3000)]
    assert found(made(tmp_path, *sonnet(2000, 3000), *asked)) == ONE_TURN


def test_a_cache_that_works_by_itself_and_showed_nothing(tmp_path: Path) -> None:
    """The second reads 2,000 of input and 100 of answer in steps of 128: 2,048 at 1.25 less."""
    calls = [{"model": "gpt-4o", "input_tokens": tokens} for tokens in (2000, 3000)]
    assert found(made(tmp_path, *calls)) == (1, Decimal("0.0085"), Decimal("0.00256"))


def test_a_model_with_any_cached_token_is_left_out_and_named(tmp_path: Path) -> None:
    calls = [{"model": "gpt-4o", "input_tokens": tokens} for tokens in (2000, 3000)]
    elsewhere = {"model": "gpt-4o", "input_tokens": 2000, "session_id": "x", "cached_input_tokens": 128}
    report = made(tmp_path, *calls, elsewhere)
    assert found(report) == NOTHING
    assert missed(report)["note"] == "1 model with cached tokens left out, as a prediction may be 5 points off"


def test_an_earlier_class_keeps_its_requests(tmp_path: Path) -> None:
    """The failed one is waste already, but it leaves its prompt in the cache."""
    report = made(tmp_path, *sonnet(2000), *sonnet(3000, status="error"), *sonnet(3000))
    # Written: 2,000 by the first, 1,000 by the second, whose saving is not counted; the third reads 3,000.
    assert found(report) == (1, Decimal("0.0105"), Decimal("0.0081") - Decimal("0.0015"))
    assert next(row for row in rows(report, "anatomy"))["request_count"] == 1


def test_blocks_are_shared_by_sessions_and_go_before_them(tmp_path: Path) -> None:
    """Three blocks of 1,000 shared with a stranger: 3,000 less than the 3,500 that its session would suggest."""
    held = {"block_tokens": 1000, "prefix_blocks": [1, 2, 3, 4], "session_id": None}
    report = made(tmp_path, *sonnet(4000, **held), *sonnet(3500, **{**held, "prefix_blocks": [1, 2, 3, 9]}))
    # Written: 4,000 and 500 at 0.75 more; read: 3,000 at 2.70 less.
    assert found(report) == (1, Decimal("0.012"), Decimal("0.0081") - Decimal("0.003375"))
    assert missed(report)["note"].startswith("estimated from prefix blocks: ")
    # Of blocks the whole model is asked: one cached token, and nobody can say who asked.
    asked = sonnet(4000, **held | {"cached_input_tokens": 1000})
    assert found(made(tmp_path, *asked, *sonnet(3500, **held))) == NOTHING
    # With blocks that say otherwise, a session proves nothing.
    apart = [{**one, "prefix_blocks": [n], "block_tokens": 1000} for n, one in enumerate(sonnet(2000, 3000))]
    assert found(made(tmp_path, *apart)) == NOTHING


def test_prices_are_those_of_the_day_asked_for(tmp_path: Path) -> None:
    """o3 reads 1,920 tokens at 0.50 instead of 2.00; until 2025-06-10 its input cost 10.00."""
    calls = [{"model": "o3", "input_tokens": tokens} for tokens in (2000, 3000)]
    for day, saved in (("2026-03-02", "0.00288"), ("2025-06-01", "0.01824")):
        assert found(made(tmp_path, *calls, as_of=midnight(day)))[2] == Decimal(saved)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (sonnet(2000, 3000, session_id=None), "the log names neither sessions nor prefix blocks"),
        (sonnet(2000, 3000, timestamp=None), "no request with a session or prefix blocks has a time"),
        (sonnet(2000, 3000, cached_input_tokens=None), "the log does not say what was cached"),
        (
            [{"model": "mistral-medium-latest", "input_tokens": tokens} for tokens in (2000, 3000)],
            "no prompt cache is known of the models whose requests name sessions or prefix blocks",
        ),
        ([{"model": "nobody", "input_tokens": 2000}], "no request has a price"),
    ],
)
def test_what_cannot_be_told_says_why(tmp_path: Path, lines: list[dict[str, Any]], reason: str) -> None:
    report = made(tmp_path, *lines)
    row = missed(report)
    assert (row["request_count"], row["list_cost_usd"], row["recoverable_usd"]) == (None, None, None)
    assert row["note"] == f"not identifiable: {reason}"
    assert report.provenance["not_computed"]["prompt_cache_misses"] == row["note"]  # type: ignore[index]
