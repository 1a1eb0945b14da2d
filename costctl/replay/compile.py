"""From a policy and the calls of a log to the stages and lanes of one replay."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from costctl.policy.caps import TokenCap, UsdCap
from costctl.policy.schema import LOGGED, Policy
from costctl.policy.stages import ExactCache as ExactCacheSpec
from costctl.prices.book import PriceBook
from costctl.replay.calls import DAY_US, Calls, Flag, Int, codes, fetch
from costctl.replay.candidates import Candidate, InputPrices, PriceDays, input_prices, price_candidate
from costctl.replay.conditions import COLUMN_OF, Conditions
from costctl.replay.draws import uniform
from costctl.replay.engine import Decisions
from costctl.replay.lanes import Lanes, build_lanes
from costctl.replay.plan import PROVIDER, Stage
from costctl.replay.ratios import Assumed
from costctl.replay.route import Route, session_codes
from costctl.replay.stages.budgets import BudgetRules, Budgets, Cap
from costctl.replay.stages.exact_cache import ExactCache
from costctl.replay.stages.prompt_cache import Cached, nothing_cached, prompt_cache
from costctl.replay.stages.sticky import Sticky
from costctl.store import Store

SCOPE_COLUMNS = {
    "endpoint": "endpoint", "team": "team", "user": "user_id", "app": "app", "model": COLUMN_OF["model"],
    "user_profile": "user_profile", "session": "session_id",
}  # fmt: skip
PUSD_PER_USD = 10**12


Known = dict[tuple[str, Assumed], Candidate]


def price_candidates(
    store: Store, book: PriceBook, calls: Calls, policy: Policy, days: PriceDays, known: Known
) -> dict[str, Candidate]:
    """Every model that the policy names, priced on every call; `known` remembers them from policy to policy.

    Raises:
        CostctlError: E411, E412 as `price_candidate`.
    """
    names = dict.fromkeys(model for tier in (*policy.tiers, *policy.specialists) for model in tier.models)
    assumed = Assumed(policy.assume.output_tokens_ratio, policy.assume.input_tokens_ratio)
    for name in names:
        if name != LOGGED and (name, assumed) not in known:
            known[name, assumed] = price_candidate(store, book, calls, name, assumed, days)
    return {name: known[name, assumed] for name in names if name != LOGGED}


def lanes_of(policy: Policy, book: PriceBook, calls: Calls, candidates: dict[str, Candidate], seed: int) -> Lanes:
    """The policy's lanes, with the models' context windows as the price data know them."""
    windows = {one.price_key: book.info(one.price_key).context_window_tokens for one in candidates.values()}
    draws = {tier.name: _weighted(calls, tier.weights, seed) for tier in policy.tiers if tier.select == "weights"}
    return build_lanes(calls, policy.tiers, policy.specialists, candidates, windows, draws)


def stages_of(
    store: Store, policy: Policy, calls: Calls, lanes: Lanes, routed: Route, rules: BudgetRules
) -> list[Stage]:
    """The stages with state that this policy needs, in the order of the replay."""
    stages: list[Stage] = []
    if policy.cache.exact is not None:
        stages.append(_exact_cache(store, policy, policy.cache.exact, calls))
    if policy.routing.sticky is not None:
        stages.append(Sticky(session_codes(store, policy.routing.sticky), lanes))
    if rules.caps or rules.share_of_lane or rules.request_max_pusd is not None:
        days = np.where(calls.is_dated, calls.time_us // DAY_US, -1)
        stages.append(Budgets(rules, lanes, routed.floor, days))
    return stages


def _exact_cache(store: Store, policy: Policy, spec: ExactCacheSpec, calls: Calls) -> ExactCache:
    conditions = Conditions()
    tests = ["prompt_key IS NOT NULL", "NOT is_later_turn", "NOT coalesce(" + conditions.personal + ", false)"]
    if spec.max_temperature is not None:
        # Where the log states no temperature, the providers' own default of 1 was used.
        tests.append(f"coalesce(temperature, 1) <= CAST({conditions.value(str(spec.max_temperature))} AS DOUBLE)")
    for text in policy.cache.exclude:
        field, _, wanted = text.partition(":")
        if wanted:
            tests.append(f"NOT {conditions.equals(field, wanted)}")
    scope = "".join(f", {SCOPE_COLUMNS[name]}" for name in spec.scope)
    key = f"CASE WHEN {' AND '.join(tests)} THEN CAST(hash(prompt_key{scope}) >> 1 AS BIGINT) ELSE -1 END AS key"
    keys: Int = fetch(store, key, conditions.params)["key"]
    return ExactCache(
        keys, calls.is_ok, ttl_us=spec.ttl_us, from_last_hit=spec.ttl_from == "last_hit",
        capacity=spec.capacity,
    )  # fmt: skip


def prompt_caches(
    store: Store, policy: Policy, book: PriceBook, calls: Calls, lanes: Lanes, decisions: Decisions, days: PriceDays
) -> Cached:
    """What the providers' prompt caches make of the decisions."""
    is_served = decisions.served_by == PROVIDER
    spec = policy.cache.prompt
    if spec is None:
        return nothing_cached(calls, is_served, is_served & lanes.take("is_other_model", decisions.lane))
    session = "CASE WHEN session_id IS NULL THEN -1 ELSE dense_rank() OVER (ORDER BY session_id, caller) END AS code"
    sessions: Int = fetch(store, session)["code"]

    def prices_of(model: str) -> InputPrices:
        return input_prices(store, book, calls, model, days)

    return prompt_cache(calls, lanes, decisions.lane, is_served, sessions, spec, prices_of)


def budget_rules(store: Store, policy: Policy, calls: Calls, lanes: Lanes) -> BudgetRules:
    """The policy's caps as numbers per call."""
    said = policy.budgets
    wanted: list[UsdCap | TokenCap] = [*said.usd_per_day, *said.tokens_per_day]
    caps = [_cap(store, calls, lanes, cap) for cap in wanted]
    shares = tuple(
        (lanes.number(tier), *share.as_integer_ratio()) for tier, share in sorted(said.max_share_per_day.items())
    )
    most = None if said.usd_per_request_max is None else _pusd(said.usd_per_request_max)
    return BudgetRules(tuple(caps), shares, most, said.over == "refuse", said.over_floor)


def _cap(store: Store, calls: Calls, lanes: Lanes, cap: UsdCap | TokenCap) -> Cap:
    is_tokens = isinstance(cap, TokenCap)
    limit = cap.max_tokens if isinstance(cap, TokenCap) else _pusd(cap.max_usd)
    everyone = np.zeros(calls.count, dtype=np.int64)
    title = f"{'tokens' if is_tokens else 'usd'}_per_day {cap.scope} {cap.name or ''}".strip()
    if cap.scope == "total":
        return Cap(title, everyone, limit, is_tokens)
    if cap.scope == "tier":
        return Cap(title, everyone, limit, is_tokens, lanes.number(str(cap.name)))
    column = SCOPE_COLUMNS[cap.scope]
    counted = SCOPE_COLUMNS["user"] if cap.scope == "user_profile" else column  # each user of the profile
    unit, _ = codes(store, counted)
    if cap.name is not None:
        unit = np.where(_is(store, column, cap.name), unit, -1)
    return Cap(title, unit, limit, is_tokens)


def _is(store: Store, column: str, text: str) -> Flag:
    holds: Flag = fetch(store, f"coalesce({column} = $text, false) AS holds", {"text": text})["holds"]
    return holds


def _pusd(usd: Decimal) -> int:
    return int(usd * PUSD_PER_USD)


def _weighted(calls: Calls, weights: tuple[Decimal, ...], seed: int) -> Int:
    """Which of a tier's models each call draws, by weight; the same for every policy under one seed."""
    total = sum(weights)
    edges = np.cumsum([float(one / total) for one in weights])[:-1]
    drawn: Int = np.searchsorted(edges, uniform(seed, calls.draw_key, "weights"), side="right").astype(np.int64)
    return drawn
