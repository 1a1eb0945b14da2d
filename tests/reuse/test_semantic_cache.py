"""The replay of a semantic cache: worked by hand, against all live entries, on real requests."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costctl.reuse.embed import embed
from costctl.reuse.guards import guard_codes
from costctl.reuse.neighbours import Visits, neighbours
from costctl.reuse.semantic_cache import Requests, SemanticPolicy, nodes_of, replay, sweep
from tests.reuse.semantic import brute
from tests.support import SHARED, needs_shared

HOUR = 3_600_000_000
# East, north, and directions between them: the cosine of the angle between two of them is easy to see.
EAST, NEAR_EAST, NORTH = [4, 3], [24, 7], [-3, 4]
# cos(EAST, NEAR_EAST) = (96 + 21) / (5 * 25) = 0.936; EAST and NORTH stand at right angles.
VECTORS = np.array([EAST, NEAR_EAST, NORTH], dtype=np.int8)


def requests(nodes: list[int], hours: list[float], guard: list[int] | None = None, is_kept: list[bool] | None = None):
    times = np.array([round(hour * HOUR) for hour in hours], dtype=np.int64)
    count = max(nodes, default=0) + 1
    return Requests(
        Visits(np.array(nodes, dtype=np.int64), times),
        np.array(is_kept or [True] * len(nodes), dtype=np.bool_),
        np.array(guard or [0] * max(count, 3), dtype=np.int64),
    )


def policy(serve: float = 0.9, hours: float = 24, **other):
    return SemanticPolicy(round(serve * 1e9), ((None, round(hours * HOUR)),), **other)


GRAPH = neighbours(VECTORS, 500_000_000)


def test_a_near_prompt_is_served_and_says_how_near() -> None:
    found = replay(GRAPH, requests([0, 1, 2], [0, 1, 2]), policy())
    assert found.outcome.tolist() == [0, 1, 0]
    assert found.answered_by.tolist() == [-1, 0, -1]
    assert found.similarity_ppb.tolist() == [-1, 936_000_000, -1]
    assert found.is_own_prompt.tolist() == [False, False, False]


def test_a_threshold_is_reached_at_its_own_value_and_not_above() -> None:
    assert replay(GRAPH, requests([0, 1], [0, 1]), policy(0.936)).served_count == 1
    assert replay(GRAPH, requests([0, 1], [0, 1]), policy(0.936000001)).served_count == 0


def test_an_entry_dies_at_its_ttl_and_a_hit_does_not_renew_it() -> None:
    """The entry of hour 0 serves at 23 and is dead at 24; the request of hour 24 is kept and serves the next."""
    found = replay(GRAPH, requests([0, 1, 1, 0], [0, 23, 24, 25]), policy())
    assert found.answered_by.tolist() == [-1, 0, -1, 2]


def test_a_served_request_keeps_nothing() -> None:
    """The second request is served by the first; when that is dead, nothing is left for the third."""
    assert replay(GRAPH, requests([0, 1, 1], [0, 12, 25]), policy()).answered_by.tolist() == [-1, 0, -1]


def test_unequal_guards_do_not_serve_unless_guards_are_off() -> None:
    asked = requests([0, 1], [0, 1], guard=[1, 2, 0])
    assert replay(GRAPH, asked, policy()).served_count == 0
    assert replay(GRAPH, asked, policy(is_guarded=False)).served_count == 1


def test_between_the_thresholds_an_entry_is_refreshed() -> None:
    found = replay(GRAPH, requests([0, 1, 1], [0, 1, 2]), policy(0.95, refresh_min_ppb=900_000_000))
    assert found.outcome.tolist() == [0, 2, 2]
    kept = policy(0.95, refresh_min_ppb=900_000_000, is_refresh_kept=True)
    assert replay(GRAPH, requests([0, 1, 1], [0, 1, 2]), kept).outcome.tolist() == [0, 2, 1]


def test_the_least_recently_used_entry_leaves() -> None:
    """Two places: north comes, then east; a near east uses east; a far prompt would push north out."""
    far = np.concatenate((VECTORS, [[-4, -3]])).astype(np.int8)
    asked = requests([2, 0, 1, 3, 2, 0], [0, 1, 2, 3, 4, 5], guard=[0] * 4)
    found = replay(neighbours(far, 500_000_000), asked, policy(capacity=2))
    assert found.answered_by.tolist() == [-1, -1, 1, -1, -1, -1]


def test_the_ttl_is_that_of_the_month_in_which_it_was_kept() -> None:
    """31 January to 1 February: kept with the 24 hours of January, dead after a day although February gives 72."""
    new_year = 30 * 24
    ttls = (((1,), 24 * HOUR), (None, 72 * HOUR))
    found = replay(
        GRAPH, requests([0, 1, 1], [new_year, new_year + 23, new_year + 30]), SemanticPolicy(900_000_000, ttls)
    )
    assert found.answered_by.tolist() == [-1, 0, -1]
    later = requests([0, 1], [new_year + 24, new_year + 90])
    assert replay(GRAPH, later, SemanticPolicy(900_000_000, ttls)).answered_by.tolist() == [-1, 0]


def test_what_may_not_be_kept_serves_nobody() -> None:
    assert replay(GRAPH, requests([0, 1], [0, 1], is_kept=[False, True]), policy()).served_count == 0


TTLS = [((None, 72 * HOUR),), (((1, 3), 24 * HOUR), (None, 200 * HOUR)), (((2,), 99 * HOUR),)]


@st.composite
def cases(draw):
    texts = draw(st.integers(1, 8))
    vectors = np.array(
        draw(st.lists(st.lists(st.integers(-4, 4), min_size=3, max_size=3), min_size=texts, max_size=texts))
    )
    count = draw(st.integers(1, 30))
    text = draw(st.lists(st.integers(-1, texts - 1), min_size=count, max_size=count))
    scope = draw(st.lists(st.integers(0, 1), min_size=count, max_size=count))
    gaps = draw(st.lists(st.integers(0, 30), min_size=count, max_size=count))
    kept = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    node, of_text, of_scope = nodes_of(np.array(text), np.array(scope))
    guard = np.array(draw(st.lists(st.integers(0, 1), min_size=texts, max_size=texts)))[of_text]
    times = np.cumsum(gaps) * 24 * HOUR
    serve = draw(st.sampled_from([500_000_000, 700_000_000, 900_000_000, 1_000_000_000]))
    rules = SemanticPolicy(
        serve, draw(st.sampled_from(TTLS)),
        draw(st.sampled_from([None, 300_000_000])), draw(st.sampled_from([None, 1, 2, 3])), draw(st.booleans()),
        draw(st.booleans()),
    )  # fmt: skip
    asked = Requests(Visits(node, times.astype(np.int64)), np.array(kept), guard.astype(np.int64))
    return vectors.astype(np.int8), of_text, of_scope, asked, rules


@settings(max_examples=400, deadline=None)
@given(cases())
def test_the_graph_gives_what_all_live_entries_give(case) -> None:
    vectors, text, scope, asked, rules = case
    expected = brute(vectors, text, scope, asked, rules)
    whole = neighbours(vectors, rules.lowest_ppb, text=text, scope=scope)
    banded = neighbours(vectors, rules.lowest_ppb, text=text, scope=scope, visits=asked.visits, ttl_us=rules.longest_us)
    for graph in (whole, banded):
        found = replay(graph, asked, rules)
        assert (
            list(zip(found.outcome.tolist(), found.answered_by.tolist(), found.similarity_ppb.tolist(), strict=True))
            == expected
        )


def test_both_engines_say_the_same() -> None:
    pytest.importorskip("numba")
    draws = np.random.default_rng(3)
    vectors = draws.integers(-9, 10, (200, 4)).astype(np.int8)
    node, text, scope = nodes_of(draws.integers(-1, 200, 3000), draws.integers(0, 3, 3000))
    times = np.sort(draws.integers(0, 400 * HOUR, 3000))
    asked = Requests(Visits(node, times), draws.random(3000) < 0.9, text % 3)
    graph = neighbours(vectors, 800_000_000, text=text, scope=scope)
    rules = [
        policy(0.95, 48, refresh_min_ppb=800_000_000, capacity=size, is_refresh_kept=kept)
        for size in (None, 20)
        for kept in (False, True)
    ]
    for plain, compiled in zip(
        sweep(graph, asked, rules, is_compiled=False), sweep(graph, asked, rules, is_compiled=True), strict=True
    ):
        assert plain.served_count
        for name in ("outcome", "answered_by", "similarity_ppb"):
            assert getattr(plain, name).tolist() == getattr(compiled, name).tolist()


@needs_shared
@pytest.mark.shared
def test_twenty_thousand_real_requests_are_served_as_by_all_live_entries() -> None:
    with gzip.open(SHARED / "data" / "support_bot" / "requests.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    rows = sorted(
        (row for row in rows if row["status"] == "ok"), key=lambda row: (row["timestamp"], row["request_id"])
    )[:20_000]
    numbers: dict[str, int] = {}
    said = [row["messages"][-1]["content"] if row["messages"] else None for row in rows]
    texts = np.array([-1 if text is None else numbers.setdefault(text, len(numbers)) for text in said])
    apps = {row["app"]: 0 for row in rows}
    scopes = np.array([list(apps).index(row["app"]) for row in rows])
    times = np.array([row["timestamp"].rstrip("Z") for row in rows], dtype="datetime64[us]").astype(np.int64)
    node, text, scope = nodes_of(texts, scopes)
    vectors = embed(list(numbers), "words").vectors
    guard = guard_codes(list(numbers))[text]
    asked = Requests(Visits(node, times), np.array([row["turn"] in (None, 1) for row in rows]), guard)
    rules = SemanticPolicy(800_000_000, ((None, 48 * HOUR),), 600_000_000, 3_000)
    graph = neighbours(vectors, rules.lowest_ppb, text=text, scope=scope, visits=asked.visits, ttl_us=rules.longest_us)
    found = replay(graph, asked, rules)
    expected = brute(vectors, text, scope, asked, rules)
    got = list(zip(found.outcome.tolist(), found.answered_by.tolist(), found.similarity_ppb.tolist(), strict=True))
    assert sum(one != other for one, other in zip(got, expected, strict=True)) == 0
    assert found.served_count > 1000
    assert np.count_nonzero(found.outcome == 2) > 100
