"""The story: what was planted adds up, stands out, and nothing else does."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import yaml

from costctl.samples import StoryTruth, prices, write_story
from costctl.samples.missed import missed
from costctl.samples.prices import DAY_MS, GPT_41, MINI, MISTRAL, PRICE_CHANGE_MS, SONNET, UNKNOWN, list_cost_usd
from costctl.samples.story import OUTAGE_MS, Attempt, Story
from costctl.samples.texts import TIER_OF
from costctl.samples.truth import CLASSES, truth_of
from tests.support import ROOT

REQUESTS = 6000


@pytest.fixture(scope="module")
def told() -> Story:
    return Story(REQUESTS, 7)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], StoryTruth]:
    path = tmp_path_factory.mktemp("story") / "story.jsonl"
    truth = write_story(path, REQUESTS, 7)
    return path.read_text("utf-8").splitlines(), truth


def records(lines: list[str]) -> list[dict[str, Any]]:
    """The requests of the log, read without costctl: whole objects with plausible counts, the last of each id."""
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(record, dict) and record["request_id"].startswith("req-"):
            found[record["request_id"]] = record
    return list(found.values())


def test_a_price_worked_by_hand() -> None:
    """1,000 cached and 100 output tokens on gpt-4o-mini: 1000 x 0.075 + 100 x 0.6 millionths of a dollar."""
    assert list_cost_usd(MINI, 0, 0, 1000, 100) == Decimal("0.000135")
    assert list_cost_usd(MISTRAL, PRICE_CHANGE_MS - 1, 1_000_000, 0, 1_000_000) == Decimal("2.4")
    assert list_cost_usd(MISTRAL, PRICE_CHANGE_MS, 1_000_000, 0, 1_000_000) == Decimal(9)
    assert list_cost_usd(UNKNOWN, 0, 1, 0, 1) is None


def test_the_same_seed_tells_the_same_story(tmp_path: Path) -> None:
    first, second, other = (tmp_path / name for name in ("a.jsonl", "b.jsonl", "c.jsonl"))
    truth = write_story(first, 500, 3)
    assert write_story(second, 500, 3) == truth
    assert first.read_bytes() == second.read_bytes()
    assert write_story(other, 500, 4).list_cost_usd != truth.list_cost_usd


def test_packing_changes_no_line(tmp_path: Path) -> None:
    write_story(tmp_path / "a.jsonl", 500, 3)
    write_story(tmp_path / "a.jsonl.gz", 500, 3)
    assert gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes()) == (tmp_path / "a.jsonl").read_bytes()


def test_the_size_is_about_what_was_asked_for(told: Story) -> None:
    assert abs(len(told.attempts) - REQUESTS) <= REQUESTS * 0.05
    assert abs(len(Story(1500, 1).attempts) - 1500) <= 1500 * 0.15


def test_counts_are_those_of_the_lines(log: tuple[list[str], StoryTruth]) -> None:
    """Counted from the file by itself; every line is accounted for."""
    lines, truth = log
    rows, counts = records(lines), truth.counts
    assert counts.records_read == len(lines) == counts.request_count + counts.merged + counts.rejected
    assert counts.request_count == len(rows)
    assert counts.rejected == 8
    assert counts.merged >= 4
    assert counts.error_count == sum(row["status"] == "error" for row in rows)
    assert counts.unknown_usage_count == sum("input_tokens" not in row for row in rows)
    assert counts.input_tokens == sum(row.get("input_tokens", 0) for row in rows)
    assert counts.cache_read_tokens == sum(row.get("cached_input_tokens", 0) for row in rows)
    assert counts.output_tokens == sum(row.get("output_tokens", 0) for row in rows)


def test_classes_sum_to_the_total(log: tuple[list[str], StoryTruth]) -> None:
    _, truth = log
    assert tuple(truth.classes) == CLASSES
    assert sum(share.list_cost_usd for share in truth.classes.values()) == truth.list_cost_usd
    assert sum(share.request_count for share in truth.classes.values()) == truth.priced_count
    assert truth.priced_count + truth.unpriced_count + truth.unbilled_count == truth.counts.request_count
    for name, share in truth.classes.items():
        assert share.list_cost_usd / truth.list_cost_usd > Decimal("0.02"), f"{name} is too small to be tested"


def test_logged_costs_are_list_prices(log: tuple[list[str], StoryTruth]) -> None:
    """A mini row of the log, priced by hand from its own counts."""
    rows = [row for row in records(log[0]) if row["model"] == MINI and "cost_usd" in row]
    row = rows[0]
    cached = row["cached_input_tokens"]
    by_hand = (row["input_tokens"] - cached) * 150_000 + cached * 75_000 + row["output_tokens"] * 600_000  # picodollars
    assert round(row["cost_usd"] * 1e12) == by_hand


def attempt(told: Story, **changes: Any) -> Attempt:
    """A plain successful complex request on gpt-4.1, changed as told and priced."""
    fields = {name: getattr(told.attempts[0], name) for name in Attempt.__slots__}
    fields |= {
        "model": GPT_41, "intent": "code", "status": "ok", "input_tokens": 1000, "cached_tokens": 0,
        "output_tokens": 100, "start_ms": 0, "call": 1, "messages": "[]",
    } | changes  # fmt: skip
    row = Attempt(**fields)
    row.price()
    return row


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"start_ms": DAY_MS - 1, "call": 2}, "exact_repeat"),
        ({"start_ms": DAY_MS, "call": 2}, "complex"),  # the entry has died
        ({"start_ms": 9, "call": 1}, "failed_or_repeated_attempt"),  # a second success of one call
        ({"start_ms": 9, "call": 2, "status": "cancelled"}, "failed_or_repeated_attempt"),
        ({"start_ms": 9, "call": 2, "model": SONNET}, "complex"),  # another model, no repeat
        ({"start_ms": 9, "call": 2, "messages": "[1]", "intent": "greeting"}, "simple_on_premium"),
        ({"start_ms": 9, "call": 2, "messages": "[1]", "intent": "greeting", "model": MINI}, "rest"),
        ({"start_ms": 9, "call": 2, "messages": "[1]", "input_tokens": 32_000, "session": 0}, "long_context"),
        # The first one and its answer, 1,100 tokens, are 1,024 that the second could have read.
        ({"start_ms": 9, "call": 2, "messages": "[1]", "input_tokens": 32_000}, "prompt_cache_miss"),
        ({"start_ms": 300_000, "call": 2, "messages": "[1]", "input_tokens": 32_000}, "long_context"),  # too late
    ],
)
def test_the_class_of_a_request_worked_by_hand(told: Story, changes: dict[str, Any], expected: str) -> None:
    """A first request inserts; the second, 1,000 input and 100 output tokens, falls into its class."""
    story = Story(1, 1)
    story.attempts = [attempt(told), second := attempt(told, **changes)]
    found = truth_of(story, 1, truth_counts()).classes
    assert found[expected].list_cost_usd - (second.cost_usd or 0) in {Decimal(0), Decimal("0.0028")}
    assert sum(share.request_count for share in found.values()) == 2
    assert found["complex"].request_count == (2 if expected == "complex" else 1)


@pytest.mark.parametrize(
    ("second", "places", "saved"),
    [
        # Both write what is new at 0.75 more; the second reads 2,000 at 2.70 less.
        ({}, {1}, "0.00315"),
        ({"start_ms": 300_000}, set(), "0"),
        ({"session": 0}, set(), "0"),
        ({"cached_tokens": 1}, set(), "0"),  # the conversation has asked for caching
        ({"model": MINI}, set(), "0"),  # cold after a switch
    ],
)
def test_missed_caching_worked_by_hand(told: Story, second: dict[str, Any], places: set[int], saved: str) -> None:
    rows = [
        attempt(told, model=SONNET, input_tokens=2000),
        attempt(told, **{"model": SONNET, "input_tokens": 3000, "start_ms": 60_000, "call": 2, **second}),
    ]
    assert missed(rows, [False, False]) == (places, Decimal(saved))
    # What an earlier class claims is not claimed again, and then caching does not pay.
    assert missed(rows, [False, True]) == (set(), Decimal(0))


def truth_counts() -> Any:
    from costctl.samples.expected import Counts

    return Counts()


def test_every_jump_is_at_least_threefold(log: tuple[list[str], StoryTruth]) -> None:
    _, truth = log
    per_day = truth.list_cost_usd / 7
    for jump in truth.jumps:
        assert jump.cost_usd >= 3 * jump.ordinary_cost_usd, jump
        assert jump.extra_cost_usd > per_day / 20, f"{jump}: too small to matter"
    assert [(jump.on, jump.name, jump.cause) for jump in truth.jumps] == [
        ("2026-06-12", "u-037", "volume"),
        ("2026-06-13", "/faq", "mix"),
        ("2026-06-14", "/faq", "mix"),
        ("2026-06-15", "/leads", "volume"),
        ("2026-06-16", "/extract", "tokens_per_request"),
        ("2026-06-17", "/extract", "tokens_per_request"),
        ("2026-06-16", "/recommend", "price"),
        ("2026-06-17", "/recommend", "price"),
    ]


def daily(told: Story, scope: str) -> dict[str, list[tuple[int, Decimal]]]:
    """Requests and dollars per day of each endpoint or user."""
    found: dict[str, list[list[Any]]] = defaultdict(lambda: [[0, Decimal(0)] for _ in range(7)])
    for row in told.attempts:
        name = row.endpoint.path if scope == "endpoint" else row.user.user_id
        if name is not None:
            cell = found[name][row.start_ms // DAY_MS]
            cell[0] += 1
            cell[1] += row.cost_usd or 0
    return {name: [(count, cost) for count, cost in days] for name, days in found.items()}


def test_nothing_else_jumps(told: Story) -> None:
    """Untouched days of an endpoint stay within 16 % of the median; users below twice theirs."""
    planted = {(jump.name, int(jump.on[-2:]) - 11) for jump in truth_of(told, 7, truth_counts()).jumps}
    planted.add(("/itinerary", 1))  # the loop adds a third there, which is no jump of the endpoint
    for name, days in daily(told, "endpoint").items():
        assert min(count for count, _ in days) >= 30, name
        costs = {day: cost for day, (_, cost) in enumerate(days) if (name, day) not in planted}
        middle = median(costs.values())
        assert all(abs(cost - middle) <= middle * Decimal("0.16") for cost in costs.values()), name
    for name, days in daily(told, "user").items():
        middle = median(cost for _, cost in days)
        assert all(cost < 2 * middle or (name, day) in planted for day, (_, cost) in enumerate(days)), name
    total = [sum(cost for path in daily(told, "endpoint").values() for _, cost in [path[day]]) for day in range(7)]
    assert max(total) < median(total) * Decimal("1.2")


def test_an_outage_fails_every_call_of_the_provider(told: Story) -> None:
    """From 14:00 to 14:45 on Thursday two attempts fail without a bill and a third goes elsewhere."""
    calls = defaultdict(list)
    for row in told.attempts:
        calls[row.call].append(row)
    hit = [
        rows for rows in calls.values() if rows[0].model == SONNET and OUTAGE_MS[0] <= rows[0].start_ms < OUTAGE_MS[1]
    ]
    assert len(hit) >= 3
    for rows in hit:
        assert [(row.status, row.http_status, row.cost_usd == 0) for row in rows[:2]] == [("error", 529, True)] * 2
        assert (rows[2].status, rows[2].model, rows[2].is_fallback, len(rows)) == ("ok", prices.GPT_4O, True, 3)


def test_sessions_grow_and_some_read_the_provider_cache(told: Story) -> None:
    later = [row for row in told.attempts if row.turn > 1 and row.status == "ok"]
    assert len(later) > 1000
    assert 0.3 < sum(bool(row.cached_tokens) for row in later) / len(later) < 0.9
    assert all(
        row.cached_tokens % 128 == 0 and row.cached_tokens < row.input_tokens for row in later if row.cached_tokens
    )
    assert all(len(json.loads(row.messages)) == 2 * row.turn for row in told.attempts)


def test_both_languages_and_every_tier_are_there(told: Story) -> None:
    assert {row.user.language for row in told.attempts} == {"en", "es"}
    tiers = [TIER_OF[row.intent] for row in told.attempts]
    assert all(tiers.count(tier) > 500 for tier in "ABC")
    claimed = [(row.claimed_tier, TIER_OF[row.intent]) for row in told.attempts if row.claimed_tier]
    assert 0.85 < sum(one == other for one, other in claimed) / len(claimed) < 0.97


def test_the_truth_in_the_repository_is_yaml_that_sums_up() -> None:
    truth = yaml.safe_load((ROOT / "sample_logs/story.truth.yaml").read_text("utf-8"))
    found = sum(Decimal(share["list_cost_usd"]) for share in truth["anatomy"].values())
    assert found == Decimal(truth["list_cost_usd"])
    assert truth["token_budget"]["broken_by"] == ["u-001", "u-003"]
    assert truth["prices"][UNKNOWN] is None
