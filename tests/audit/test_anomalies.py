"""Cost jumps: each kind of cause planted alone, and the split of a change worked by hand."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from costctl.audit.anomalies import Usage, split
from tests.support import audited, rows


def usage(requests: int, cost_usd: str, tokens: int) -> Usage:
    cost, nothing = Fraction(cost_usd), Fraction(0)
    return Usage(requests, cost, [tokens, 0, 0, 0], [cost, nothing, nothing, nothing])


def test_more_requests_is_volume() -> None:
    change = split({"m": usage(100, "10.0", 1000)}, 5, {"m": usage(60, "6.0", 600)}, 1)
    assert change.volume == 4
    assert (change.mix, change.price, change.tokens) == (0, 0, 0)


def test_a_swap_of_models_is_mix() -> None:
    usual = {"small": usage(100, "1.0", 1000), "large": usage(0, "0.0", 0)}
    change = split(usual, 5, {"large": usage(20, "4.0", 200)}, 1)
    assert change.mix == 20 * (Fraction("0.20") - Fraction("0.01"))
    assert change.volume == 0


def test_longer_requests_is_tokens() -> None:
    change = split({"m": usage(100, "10.0", 1000)}, 5, {"m": usage(20, "6.0", 600)}, 1)
    assert (change.volume, change.mix, change.price) == (0, 0, 0)
    assert change.tokens == 4


def test_a_dearer_token_is_price_only_where_the_list_changed() -> None:
    usual, now = {"m": usage(100, "10.0", 1000)}, {"m": usage(20, "6.0", 200)}
    assert split(usual, 5, now, 1, {"m"}).price == 4
    assert split(usual, 5, now, 1).price == 0


def test_the_parts_sum_to_the_change() -> None:
    usual = {"a": usage(70, "7.0", 700), "b": usage(35, "1.0", 900)}
    now = {"a": usage(9, "2.0", 400), "c": usage(40, "9.0", 100)}
    change = split(usual, 7, now, 2, {"a"})
    assert change.volume + change.mix + change.price + change.tokens == 11 - Fraction(8 * 2, 7)


def week(tmp_path: Path, **days: Any) -> list[dict[str, Any]]:
    """Ten days of 100 requests each; `d7` and so on change one day."""
    path = tmp_path / "week.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for day in range(1, 11):
            changed = {
                "count": 100,
                "model": "gpt-4o-mini",
                "input_tokens": 1000,
                "user": None,
                **days.get(f"d{day}", {}),
            }
            for n in range(changed.pop("count")):
                row = {"request_id": f"{day}-{n}", "timestamp": f"2026-03-{day:02d}T10:00:00Z", "endpoint": "/a",
                       "output_tokens": 100, **changed, "user": changed["user"] or f"u{n % 50}"}  # fmt: skip
                file.write(json.dumps(row) + "\n")
            for n in range(100):
                other = {"request_id": f"o{day}-{n}", "timestamp": f"2026-03-{day:02d}T10:00:00Z", "endpoint": "/b",
                         "model": "gpt-4o-mini", "input_tokens": 5000, "output_tokens": 100,
                         "user": f"v{n % 50}"}  # fmt: skip
                file.write(json.dumps(other) + "\n")
    return rows(audited(tmp_path, path), "anomalies")


def test_a_quiet_week_has_no_jump(tmp_path: Path) -> None:
    assert week(tmp_path) == []


@pytest.mark.parametrize(
    ("change", "scope", "name", "cause"),
    [
        ({"count": 500}, "endpoint", "/a", "volume"),
        ({"model": "gpt-4o"}, "endpoint", "/a", "mix"),
        ({"input_tokens": 9000}, "endpoint", "/a", "tokens per request"),
        ({"count": 700, "user": "loop"}, "user", "loop", "volume"),
    ],
)
def test_each_cause_is_found_and_told_once(
    tmp_path: Path, change: dict[str, Any], scope: str, name: str, cause: str
) -> None:
    (found,) = week(tmp_path, d7=change)
    assert (found["scope"], found["name"], found["cause"]) == (scope, name, cause)
    assert (found["first_on"], found["last_on"]) == ("2026-03-07", "2026-03-07")
    assert sum(found[f"{part}_usd"] for part in ("volume", "mix", "price", "tokens")) == found["excess_usd"]
    assert found["cause_usd"] == found[f"{cause.split()[0]}_usd"]


def test_two_days_are_one_jump(tmp_path: Path) -> None:
    (found,) = week(tmp_path, d9={"count": 500}, d10={"count": 600})
    assert (found["first_on"], found["last_on"]) == ("2026-03-09", "2026-03-10")


def test_a_price_change_is_found_with_its_day(tmp_path: Path) -> None:
    """o3 went from 10/40 to 2/8 on 2025-06-10; the rows before cost five times as much."""
    path = tmp_path / "log.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for day in range(5, 17):
            for n in range(50):
                row = {
                    "request_id": f"{day}-{n}",
                    "timestamp": f"2025-06-{day:02d}T10:00:00Z",
                    "model": "o3",
                    "input_tokens": 1000,
                    "output_tokens": 100,
                }
                file.write(json.dumps(row) + "\n")
    found = [row for row in rows(audited(tmp_path, path), "anomalies") if row["cause"] == "price"]
    assert [(row["scope"], row["first_on"]) for row in found] == [("model", "2025-06-10")]
    assert found[0]["excess_usd"] < 0
