"""The replay of a million lean requests through every stage, and the loop that anybody would write first."""

from __future__ import annotations

import sys
import time
from collections import OrderedDict, defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from costctl.audit import pages
from costctl.policy.load import parse_policy
from costctl.prices.book import load_book
from costctl.prices.cost import apply_prices
from costctl.replay.beside import Asked
from costctl.replay.run import simulate
from costctl.replay.sweep import read_grid
from costctl.request import COLUMNS, SOURCE_COLUMNS
from costctl.reuse.lru import hit_counts, stack_distances
from costctl.store import Store, open_store

MODELS = ("gpt-4o", "gpt-4o-mini", "gpt-4.1")
POLICY = """
version: 1
tiers:
  A: {models: [gpt-4o-mini], max_output_tokens: 400, context_tokens: 8k}
  B: {models: [gpt-4.1-mini, gpt-4o-mini], max_output_tokens: 600}
  C: {models: [gpt-4o]}
routing:
  default: A
  rules:
    - {name: long, when: {any: [{input_tokens: '>5500'}, {output_tokens: '>650'}]}, to: C}
  matrix: {faq: A, recommendation: B, lead: B}
  raise: [{name: x, when: {endpoint: /x}, to: B}]
  floors: [{name: sales, when: {endpoint: [/lead]}, at_least: B}]
  sticky: session
budgets:
  max_share_per_day: {B: 45%, C: 15%}
  usd_per_day: 300
  usd_per_request_max: 0.05
  tokens_per_day: [{user_profile: free, max: 200k}]
cache: {exact: {ttl: 24h, scope: [endpoint], capacity: 100k, max_temperature: 0.3}}
assume: {output_tokens_ratio: 1, input_tokens_ratio: 1}
"""
OTHER = POLICY.replace("45%", "30%").replace("24h", "1h").replace("'>5500'", "'>4000'")
# USD per million tokens in and out, as the price book has them.
RATES = {"gpt-4o": (2.5, 10), "gpt-4o-mini": (0.15, 0.6), "gpt-4.1-mini": (0.4, 1.6)}


def build(path: Path, rows: int) -> None:
    """A workspace as an audit leaves it, of `rows` requests over a week."""
    with open_store(path, threads=2) as store:
        columns = ", ".join(f'"{column.name}" {column.type}' for column in (*SOURCE_COLUMNS, *COLUMNS))
        store.execute(f"CREATE TABLE source ({columns})")
        model = f"[{', '.join(repr(name) for name in MODELS)}][i % 3 + 1]"
        store.execute(
            "INSERT INTO source (file_id, source_line, request_id, provider, request_model, response_model, "
            "started_at, status, usage_source, input_uncached_tokens, "
            "output_tokens, prompt_key, app, endpoint, user_id, "
            "user_profile, session_id, intent, tier, latency_ms, temperature, turn_count) "
            f"SELECT 1, i, 'r' || i, 'openai', {model}, {model}, TIMESTAMP '2026-03-01' + to_milliseconds(i * 600), "
            "'ok', 'provider', hash(i) % 6000, hash(i + 7) % 700, hash(hash(i) % 300000), 'app', "
            "['/chat', '/faq', '/lead', '/x'][i % 4 + 1], 'u' || (hash(i) % 5000), ['free', 'pro'][i % 2 + 1], "
            "'s' || (i // 8), ['faq', 'greeting', 'lead', 'recommendation'][CAST(hash(i * 3) % 4 AS INTEGER) + 1], "
            "'A', "
            f"hash(i) % 4000 + 200, 0.2, 1 + i % 3 FROM range({rows}) t(i)"
        )
        store.execute(
            "CREATE VIEW request_source AS SELECT *, response_model AS model, input_uncached_tokens AS input_tokens "
            "FROM source"
        )
        apply_prices(store, source="request_source", target="request", book=load_book())
        pages.run(store, "calls.sql")


def ours(path: Path, policy: str) -> float:
    """Seconds of one simulation, from the open workspace to the report."""
    wanted, book = parse_policy(policy, "policy"), load_book()
    with open_store(path, threads=2) as store:
        started = time.perf_counter()
        simulate(store, wanted, book, 7)
        return time.perf_counter() - started


def swept(path: Path, policy: str) -> float:
    """Seconds of one simulation with a sweep of ten lifetimes by ten sizes of its exact cache."""
    hours, sizes = range(1, 21, 2), range(10, 110, 10)
    grid = read_grid([
        f"cache.exact.ttl={','.join(f'{hour}h' for hour in hours)}",
        f"cache.exact.capacity={','.join(f'{size}k' for size in sizes)}",
    ])  # fmt: skip
    wanted, book = parse_policy(policy, "policy"), load_book()
    with open_store(path, threads=2) as store:
        started = time.perf_counter()
        simulate(store, wanted, book, 7, asked=Asked(grid=grid))
        return time.perf_counter() - started


def plain_loop(path: Path, rows: int) -> float:
    """Seconds that the same policy takes one dict per request at a time, per `rows` requests."""
    with open_store(path, threads=2) as store:
        started = time.perf_counter()
        _plain(store, rows)
        return time.perf_counter() - started


def _plain(store: Store, rows: int) -> float:
    names, found = store.table(f"SELECT * FROM request ORDER BY started_at, request_id LIMIT {rows}")
    cache: OrderedDict[tuple[Any, Any], Any] = OrderedDict()
    highest: dict[str, str] = {}
    spent: defaultdict[Any, float] = defaultdict(float)
    tokens: defaultdict[Any, int] = defaultdict(int)
    counts: defaultdict[Any, int] = defaultdict(int)
    limits = {"A": 400, "B": 600, "C": 10**9}
    models = {"A": "gpt-4o-mini", "B": "gpt-4.1-mini", "C": "gpt-4o"}
    total = 0.0
    for values in found:
        request = dict(zip(names, values, strict=True))
        key = (request["prompt_key"], request["endpoint"])
        entry = cache.get(key)
        if entry is not None and request["started_at"] - entry < timedelta(hours=24) and request["temperature"] <= 0.3:
            cache.move_to_end(key)
            continue
        if request["input_tokens"] > 5500 or request["output_tokens"] > 650:
            tier = "C"
        else:
            tier = {"faq": "A", "recommendation": "B", "lead": "B"}.get(request["intent"], "A")
        if request["endpoint"] == "/x" and tier < "B":
            tier = "B"
        floor = "B" if request["endpoint"] == "/lead" else "A"
        tier = max(tier, floor, highest.get(request["session_id"], "A"))
        day = request["started_at"].date()
        user = (day, request["user_id"]) if request["user_profile"] == "free" else None
        asked = request["input_tokens"] + min(request["output_tokens"], limits[tier])
        if user and tokens[user] + asked > 200_000 and tier > floor:
            tier = chr(ord(tier) - 1)
        while True:
            answer = min(request["output_tokens"], limits[tier])
            rate = RATES[models[tier]]
            cost = (request["input_tokens"] * rate[0] + answer * rate[1]) / 1e6
            share = {"B": 0.45, "C": 0.15}.get(tier)
            over = spent[day] + cost > 300 or cost > 0.05
            if share and counts[day] >= 100:
                over = over or (counts[day, tier] + 1) / (counts[day] + 1) > share
            if not over or tier <= floor:
                break
            tier = chr(ord(tier) - 1)
        spent[day] += cost
        counts[day] += 1
        counts[day, tier] += 1
        if user:
            tokens[user] += request["input_tokens"] + answer
        highest[request["session_id"]] = max(highest.get(request["session_id"], "A"), tier)
        cache[key] = request["started_at"]
        if len(cache) > 100_000:
            cache.popitem(last=False)
        total += cost
    return total


def lru_once(keys: Any, capacity: int) -> float:
    """Seconds of one LRU cache of one size, as anybody would write it."""
    started = time.perf_counter()
    cache: OrderedDict[int, None] = OrderedDict()
    hits = 0
    for key in keys.tolist():
        if key in cache:
            hits += 1
            cache.move_to_end(key)
        else:
            cache[key] = None
            if len(cache) > capacity:
                cache.popitem(last=False)
    return time.perf_counter() - started


def lru_all(keys: Any) -> float:
    """Seconds of the hits at every capacity at once."""
    started = time.perf_counter()
    hit_counts(stack_distances(keys), np.arange(1, 100_000, 10))
    return time.perf_counter() - started


if __name__ == "__main__":
    ours(Path(sys.argv[1]), POLICY)
