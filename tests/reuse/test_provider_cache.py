"""The provider's prompt cache against a dictionary of sessions, and against what providers recorded."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costctl.prices.book import load_book
from costctl.prices.published import read_data
from costctl.reuse.blocks import Blocks, read_blocks
from costctl.reuse.provider_cache import CacheTerms, cache_terms, predict, predict_from_blocks, term_columns
from costctl.store import Store
from tests.support import SHARED

DEEPSEEK = SHARED / "data" / "deepseek_swe_calls" / "calls.jsonl.gz"
TAU2 = SHARED / "data" / "tau2_agent_calls" / "calls.jsonl.gz"
TERMS = (
    CacheTerms(10, 4, 8, charges_writes=False, is_automatic=True, keeps_output=True),
    CacheTerms(6, 1, 5, charges_writes=True, is_automatic=True),
    CacheTerms(8, 2, 5, charges_writes=True, is_automatic=False),
    None,
)
# key (whose terms are TERMS[key % 4]), time since the request before, input, output, opted in
CALLS = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 6), st.integers(0, 40), st.integers(0, 9), st.booleans()), max_size=40
)
Call = tuple[int, int, int, int, bool]


def columns(calls: list[Call]) -> tuple[np.ndarray, ...]:
    keys, steps, inputs, outputs, opted = (np.array(column) for column in zip(*calls, strict=True))
    return keys, np.cumsum(steps), inputs, outputs, opted


def predicted(calls: list[Call], *, cut: bool = True) -> list[tuple[int, int]]:
    if not calls:
        return []
    keys, times, inputs, outputs, opted = columns(calls)
    terms = term_columns(TERMS, keys % 4)
    read, write = predict(keys, times, inputs, outputs, terms, is_opted_in=opted, cut_keeps_prefix=cut)
    assert (read.dtype, write.dtype) == (np.int64, np.int64)
    return list(zip(read.tolist(), write.tolist(), strict=True))


def oracle(calls: list[Call], *, cut: bool) -> list[tuple[int, int]]:
    """Each key holds (prefix in whole increments, input, time) after every request that may cache."""
    held: dict[int, tuple[int, int, int]] = {}
    time, found = 0, []
    for key, step, tokens, output, opted in calls:
        time += step
        terms = TERMS[key % 4]
        prefix, before, used = held.pop(key, (0, 0, 0))
        if terms is None or not (terms.is_automatic or opted):
            found.append((0, 0))
            continue
        units = range(0, tokens + 1, terms.increment_tokens)
        read = max((unit for unit in units if unit <= prefix and unit >= terms.minimum_tokens), default=0)
        if time - used >= terms.ttl_us or (tokens < before and not cut):
            read = 0
        whole = units[-1] if units[-1] >= terms.minimum_tokens else 0
        found.append((read, whole - read if terms.charges_writes else 0))
        held[key] = (tokens + (output if terms.keeps_output else 0), tokens, time)
    return found


@pytest.mark.parametrize("cut", [False, True])
@given(CALLS)
def test_it_agrees_with_the_oracle(cut: bool, calls: list[Call]) -> None:
    assert predicted(calls, cut=cut) == oracle(calls, cut=cut)


@given(CALLS, st.integers(0, 40))
def test_reads_and_writes_fit_and_the_future_changes_nothing(calls: list[Call], end: int) -> None:
    found = predicted(calls)
    for (_, _, tokens, _, _), (read, write) in zip(calls, found, strict=True):
        assert min(read, write, tokens - read - write) >= 0
    assert predicted(calls[:end]) == found[:end]
    colder = predicted(calls, cut=False)
    assert all(one[0] <= other[0] for one, other in zip(colder, found, strict=True))


@given(CALLS)
def test_a_key_sees_only_its_own_requests(calls: list[Call]) -> None:
    """Taken apart key by key, at the times they had, the requests find the same."""
    if not calls:
        return
    keys, times, inputs, outputs, opted = columns(calls)
    order = np.argsort(keys, kind="stable")
    steps = np.diff(times[order], prepend=0).tolist()
    rows = list(zip(*(column[order].tolist() for column in (keys, inputs, outputs, opted)), strict=True))
    apart = [(key, step, *rest) for (key, *rest), step in zip(rows, steps, strict=True)]
    found = predicted(calls)
    assert predicted(apart) == [found[place] for place in order]


@given(CALLS, st.integers(0, 20), st.integers(0, 20))
def test_more_time_never_reads_less(calls: list[Call], one: int, other: int) -> None:
    if not calls:
        return
    keys, times, inputs, outputs, _ = columns(calls)
    terms = CacheTerms(5, 2, 0, charges_writes=True, is_automatic=True)
    none, less, more = (
        predict(keys, times, inputs, outputs, terms._replace(ttl_us=ttl))[0] for ttl in (0, *sorted((one, other)))
    )
    assert not none.any()
    assert (less <= more).all()


# A path down a tree of two branches, time since the request before, model (its terms are TERMS[model]), opted in,
# and how much of the last block is missing.
PROMPTS = st.lists(
    st.tuples(st.text("ab", max_size=6), st.integers(0, 6), st.integers(0, 3), st.booleans(), st.integers(0, 3)),
    max_size=30,
)
Prompt = tuple[str, int, int, bool, int]
SIZE = 4


def block_columns(prompts: list[Prompt]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, Blocks]:
    paths, steps, models, opted, missing = (list(column) for column in zip(*prompts, strict=True))
    ids = [int.from_bytes(path[:end].encode()) for path in paths for end in range(1, len(path) + 1)]
    offsets = np.cumsum([0, *map(len, paths)])
    tokens = [max(len(path) * SIZE - less, 0) for path, less in zip(paths, missing, strict=True)]
    blocks = Blocks(np.array(ids, dtype=np.int64), offsets, np.full(len(paths), SIZE))
    return np.array(models), np.cumsum(steps), np.array(tokens), np.array(opted), blocks


def of_blocks(prompts: list[Prompt], scale: int = 1) -> list[tuple[int, int]]:
    if not prompts:
        return []
    models, times, tokens, opted, blocks = block_columns(prompts)
    read, write = predict_from_blocks(
        models, times, tokens * scale, blocks, term_columns(TERMS, models), is_opted_in=opted, logged_tokens=tokens
    )
    assert (read.dtype, write.dtype) == (np.int64, np.int64)
    return list(zip(read.tolist(), write.tolist(), strict=True))


@pytest.mark.parametrize("scale", [1, 3])
@given(PROMPTS)
def test_blocks_agree_with_a_dictionary_of_prefixes(scale: int, prompts: list[Prompt]) -> None:
    """Each model holds prefixes with the time of their last use, and tries the request's own from the shortest on."""
    held: dict[tuple[int, str], int] = {}
    time, expected = 0, []
    for path, step, model, opted, less in prompts:
        time += step
        terms, logged = TERMS[model], max(len(path) * SIZE - less, 0)
        if terms is None or not (terms.is_automatic or opted):
            expected.append((0, 0))
            continue
        count = 0
        while count < len(path) and time - held.get((model, path[: count + 1]), -(10**9)) < terms.ttl_us:
            count += 1
        sizes = [
            tokens - tokens % terms.increment_tokens for tokens in (min(count * SIZE, logged) * scale, logged * scale)
        ]
        read, whole = (tokens if tokens >= terms.minimum_tokens else 0 for tokens in sizes)
        expected.append((read, whole - read if terms.charges_writes else 0))
        held |= {(model, path[:end]): time for end in range(1, len(path) + 1)}
    assert of_blocks(prompts, scale) == expected


@given(PROMPTS, st.integers(0, 30))
def test_later_prompts_change_nothing(prompts: list[Prompt], end: int) -> None:
    assert of_blocks(prompts)[:end] == of_blocks(prompts[:end])


def test_ids_too_far_apart_for_one_number_are_told_apart() -> None:
    ids = np.array([-(2**62), 2**62, -(2**62), 2**62], dtype=np.int64)
    blocks = Blocks(ids, np.array([0, 2, 4]), np.array([4, 4]))
    terms = CacheTerms(1, 1, 9, charges_writes=False, is_automatic=True)
    for models, expected in (([0, 0], [0, 8]), ([0, 1], [0, 0])):
        read, _ = predict_from_blocks(np.array(models), np.array([0, 1]), np.array([8, 8]), blocks, terms)
        assert read.tolist() == expected


def test_blocks_come_out_of_the_store_in_order() -> None:
    with Store.in_memory() as store:
        store.execute("CREATE TABLE r (place BIGINT, prefix_blocks BIGINT[], block_tokens INTEGER)")
        assert read_blocks(store, "r", "place", 0) is None
        store.execute("INSERT INTO r VALUES (2, [5, 6, 4], 16), (1, NULL, NULL), (3, [], 16), (0, [9], 8)")
        found = read_blocks(store, "r", "place", 4)
    assert found is not None
    (ids, offsets, sizes), has_blocks = found
    assert (ids.tolist(), offsets.tolist(), sizes.tolist()) == ([9, 5, 6, 4], [0, 1, 1, 4, 4], [8, 0, 16, 16])
    assert has_blocks.tolist() == [True, False, True, True]


def test_a_model_switch_is_cold_and_a_cut_is_bounded() -> None:
    openai, sonnet = cache_terms("openai/gpt-4.1@azure:eu"), cache_terms("anthropic/claude-sonnet-4-5")
    keys, times = np.array([1, 1, 2, 1, 1]), np.arange(5) * 1_000_000
    inputs, outputs = np.array([2_000, 3_000, 4_000, 5_000, 4_500]), np.full(5, 100)
    terms = term_columns((openai, sonnet), np.array([0, 0, 1, 0, 0]))
    read, write = predict(keys, times, inputs, outputs, terms, is_opted_in=True)
    assert read.tolist() == [0, 2_048, 0, 3_072, 4_480]
    assert write.tolist() == [0, 0, 4_000, 0, 0]
    read, _ = predict(keys, times, inputs, outputs, terms, cut_keeps_prefix=False)
    assert read.tolist() == [0, 2_048, 0, 3_072, 0]


def test_an_empty_log_has_nothing() -> None:
    none = np.zeros(0, dtype=np.int64)
    assert [len(part) for part in predict(none, none, none, none, term_columns((), none))] == [0, 0]


def test_the_terms_are_whole_and_agree_with_the_prices() -> None:
    """Every fact has a known source or is marked assumed; writes are charged where the price book charges them."""
    table = read_data("prompt_cache.yaml")
    assert {source["status"] for source in table["sources"].values()} == {"vendor", "claim", "measured"}
    facts = {"minimum_tokens", "increment_tokens", "ttl_s", "charges_writes", "is_automatic", "keeps_output"}
    for entry in table["terms"]:
        assert entry.keys() == facts | {"provider", "models", "sources", "assumed"}
        assert set(entry["sources"]) <= table["sources"].keys()
        assert entry["sources"]
        assert set(entry["assumed"]) < facts
        assert entry["minimum_tokens"] % entry["increment_tokens"] == 0
    names = Counter((entry["provider"], name) for entry in table["terms"] for name in entry["models"])
    assert set(names.values()) == {1}
    book = load_book()
    for key in book.model_keys():
        terms = cache_terms(key)
        if key.startswith(("openai/", "anthropic/", "deepseek/")) and terms is not None:
            dearer = {rate.prices["cache_write_5m"] > rate.prices["input"] for rate in book.rates([key])}
            assert dearer <= {terms.charges_writes}, key
    assert cache_terms("anthropic/claude-haiku-4-5") != cache_terms("anthropic/claude-3-5-haiku-latest")
    assert cache_terms("anthropic/claude-2") is cache_terms("groq/gpt-4.1") is cache_terms("unknown") is None


@cache
def recorded(path: Any, *, when: str, session: tuple[str, ...]) -> list[dict[str, Any]]:
    """The calls of a data set in time order, each with its key and time in microseconds."""
    if not path.is_file():
        pytest.skip("the recorded calls are not beside this checkout")
    rows = [orjson.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    keys: dict[tuple[str, ...], int] = {}
    for row in rows:
        row["key"] = keys.setdefault(tuple(row[name] for name in session), len(keys))
        row["at"] = round(datetime.fromisoformat(row[when].rstrip("Z")).timestamp() * 10**6)
    return sorted(rows, key=lambda row: (row["at"], row["key"], row["call_index"]))


def tau2(run: str, callers: Iterable[str] = ("agent", "user_simulator")) -> list[dict[str, Any]]:
    rows = recorded(TAU2, when="timestamp", session=("session_id", "caller", "model"))
    return [row for row in rows if row["run"] == run and row["caller"] in callers]


def price_key(model: str) -> str:
    provider = {"gpt": "openai", "claude": "anthropic", "deepseek": "deepseek"}[model.split("-")[0]]
    return f"{provider}/{model}"


def of(rows: list[dict[str, Any]], **options: Any) -> tuple[np.ndarray, np.ndarray]:
    models = sorted({row["model"] for row in rows})
    terms = term_columns(
        [cache_terms(price_key(m)) for m in models], np.array([models.index(r["model"]) for r in rows])
    )
    names = ("key", "at", "prompt_tokens", "completion_tokens")
    keys, times, inputs, outputs = (np.array([row[name] for row in rows], dtype=np.int64) for name in names)
    return predict(keys, times, inputs, outputs, terms, **options)


def shares(rows: list[dict[str, Any]], cached: str, **options: Any) -> tuple[float, float]:
    """Percent of the input read from the cache: predicted and recorded."""
    total = sum(row["prompt_tokens"] for row in rows)
    read, _ = of(rows, **options)
    parts = (int(read.sum()), sum(row[cached] for row in rows))
    return round(100 * parts[0] / total, 2), round(100 * parts[1] / total, 2)


@pytest.mark.shared
def test_deepseek_sessions() -> None:
    rows = recorded(DEEPSEEK, when="created", session=("session_id", "model"))
    assert shares(rows, "prompt_cache_hit_tokens") == (98.75, 97.84)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ("gpt-4.1_airline", (82.24, 83.05)),
        ("gpt-4.1_retail", (83.35, 82.17)),
        ("gpt-4.1_telecom", (93.01, 91.93)),
        ("gpt-4.1_telecom_solo", (92.56, 95.92)),
        ("gpt-4o_telecom", (90.16, 94.09)),
        ("gpt-5.4_airline", (80.93, 77.15)),
    ],
)
def test_tau2_runs_with_automatic_caching(run: str, expected: tuple[float, float]) -> None:
    found = shares(tau2(run), "cached_tokens")
    assert found == expected
    assert abs(found[0] - found[1]) < 5


@pytest.mark.shared
@pytest.mark.parametrize(("cut", "dollars"), [(True, "5.870688"), (False, "7.013507")])
def test_sonnet_without_and_with_caching(cut: bool, dollars: str) -> None:
    """It never asked for the cache; had it, the agent's calls would have cost two fifths."""
    rows = tau2("sonnet-4.5_airline", ["agent"])
    assert shares(rows, "cached_tokens") == (0.0, 0.0)
    assert bill(rows, *of(rows)) == Decimal("14.443248")
    read, write = of(rows, is_opted_in=True, cut_keeps_prefix=cut)
    assert round(bill(rows, read, write), 6) == Decimal(dollars)


def bill(rows: list[dict[str, Any]], read: np.ndarray, write: np.ndarray) -> Decimal:
    """USD at list price."""
    key = "anthropic/claude-sonnet-4-5"
    (rate,) = (r for r in load_book().rates([key]) if r.service_tier == "standard" and r.input_over_tokens == 0)
    total, answered = sum(row["prompt_tokens"] for row in rows), sum(row["completion_tokens"] for row in rows)
    prices = rate.prices
    fresh = total - int(read.sum()) - int(write.sum())
    cost = prices["input"] * fresh + prices["output"] * answered
    return (cost + prices["cache_read"] * int(read.sum()) + prices["cache_write_5m"] * int(write.sum())) / 10**6
