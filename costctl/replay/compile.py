"""From a policy and the calls of a log to the stages and lanes of one replay."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np

from costctl.policy.behaviour import RequestCache, SpendFilter
from costctl.policy.caps import TokenCap, UsdCap
from costctl.policy.results import Outage
from costctl.policy.schema import LOGGED, Policy, Tier
from costctl.policy.stages import ExactCache as ExactCacheSpec
from costctl.prices.book import PriceBook
from costctl.replay.arms import Arms, arms_of, merged_lanes, policy_models
from costctl.replay.calls import Calls, Flag, Int, constant, fetch, numbers
from costctl.replay.candidates import Candidate, InputPrices, PriceDays, input_prices, price_models
from costctl.replay.chains import attempting
from costctl.replay.conditions import COLUMN_OF, PERSONAL_DATA, REUSABLE, Conditions
from costctl.replay.draws import uniform
from costctl.replay.engine import Decisions
from costctl.replay.lanes import LaneNames, Lanes, build_lanes
from costctl.replay.near import lacks_texts, semantic_cache
from costctl.replay.plan import PROVIDER, Budgets, Cap, ExactCache, Plan, SemanticCache
from costctl.replay.priors import priors_of
from costctl.replay.ratios import Assumed, by_price_key
from costctl.replay.route import Route, raised, session_codes
from costctl.replay.self_hosted import engine_candidate
from costctl.replay.sent import Buckets, Sent, sent_of
from costctl.replay.sent_prices import batched_on, name_sent, sent_candidate
from costctl.replay.stages.prompt_cache import Cached, Prefixes, nothing_cached, prompt_cache
from costctl.reuse.blocks import read_blocks
from costctl.store import Store

SCOPE_COLUMNS = {
    "endpoint": "endpoint", "team": "team", "user": "user_id", "app": "app", "model": COLUMN_OF["model"],
    "user_profile": "user_profile", "session": "session_id",
}  # fmt: skip
# What a log knows of the parameters that make a request another one.
REQUEST_COLUMNS = ("temperature", "max_output_tokens", "response_format", "tool_count", "stream")
PUSD_PER_USD = 10**12
LOWEST_SERVED = Decimal("0.8")  # no threshold below is looked at


Known: TypeAlias = dict[tuple[str, Assumed | None], Candidate | InputPrices]
"""What was priced before on the same calls: models under assumptions, and (with None) what their input costs."""


def price_candidates(
    store: Store, book: PriceBook, calls: Calls, policy: Policy, days: PriceDays, known: Known,
    sent: Sent | None = None, own: Candidate | None = None,
) -> dict[str, Candidate]:  # fmt: skip
    """Every model that the policy names, priced on every call; `known` remembers them from policy to policy.

    With `sent` they also have the prices of what the policy sends; `own` has those of each call's own model.

    Raises:
        CostctlError: E411, E412 as `price_models`.
    """
    names, engines = policy_models(policy), {one.name: one for one in policy.self_hosted}
    ratios = (policy.assume.output_tokens_ratio, policy.assume.input_tokens_ratio)
    assumed = Assumed(*(by_price_key(one, book) for one in ratios))
    new = [name for name in names if name not in engines and name != LOGGED and (name, assumed) not in known]
    for one in price_models(store, book, calls, new, assumed, days):
        known[one.model, assumed] = one
    candidates: dict[str, Candidate] = {}
    for name in names:
        if name in engines:
            candidates[name] = engine_candidate(calls, engines[name], assumed, sent)
        elif name != LOGGED:
            found = known[name, assumed]
            assert isinstance(found, Candidate)
            candidates[name] = found
            if sent is not None and own is not None:
                candidates[name] = sent_candidate(store, book, calls, found, own, assumed, sent, days)
    return candidates


def sent_by(store: Store, policy: Policy, calls: Calls) -> Sent | None:
    """What the policy sends, where it changes that."""
    specs = (*policy.tiers, *policy.specialists)
    names = LaneNames((*(one.name for one in specs), LOGGED), len(policy.tiers))
    return sent_of(store, policy, calls, lambda: raised(store, policy.routing, names)[-1].astype(np.int64))


def lanes_of(
    store: Store, policy: Policy, book: PriceBook, calls: Calls, candidates: dict[str, Candidate], seed: int,
    sent: Sent | None = None, own: Candidate | None = None,
) -> Lanes:  # fmt: skip
    """The policy's lanes; with experiments, those of its own arms for each call."""
    arms = arms_of(store, policy, calls.count, seed)
    built = [_lanes_of(store, one, book, calls, candidates, seed, sent, own) for one in arms.policies]
    lanes = built[0] if len(built) == 1 else merged_lanes(built, arms.of_call)
    return replace(lanes, priors=priors_of(store, policy.assume, book, candidates.values(), calls.models))


def _lanes_of(
    store: Store, policy: Policy, book: PriceBook, calls: Calls, candidates: dict[str, Candidate], seed: int,
    sent: Sent | None, own: Candidate | None,
) -> Lanes:  # fmt: skip
    """The lanes, with the models' context windows as the price data know them."""
    windows = context_windows(book, candidates)
    specs = (*policy.tiers, *policy.specialists)
    draws = {tier.name: _weighted(calls, tier.weights, seed) for tier in specs if tier.select == "weights"}
    medians = _median_latencies(store, policy)
    tiers, specialists = (
        tuple(_fastest_first(one, candidates, medians) if one.select == "fastest" else one for one in group)
        for group in (policy.tiers, policy.specialists)
    )
    return build_lanes(calls, tiers, specialists, candidates, windows, draws, sent, own)


def context_windows(book: PriceBook, candidates: dict[str, Candidate]) -> dict[str, int | None]:
    """The context window of each model by its price key, None where none is known."""
    bought = [one.price_key for one in candidates.values() if one.engine is None]
    return {key: book.info(key).context_window_tokens for key in bought}


def _median_latencies(store: Store, policy: Policy) -> dict[str, float]:
    """By price key the median latency of logged answers, where a tier asks for its fastest model."""
    if not any(one.select == "fastest" for one in (*policy.tiers, *policy.specialists)):
        return {}
    rows = store.query(
        "SELECT price_key, median(round(latency_ms * 1000)) FROM request "
        "WHERE status = 'ok' AND latency_ms >= 0 AND price_key IS NOT NULL GROUP BY price_key"
    )
    return {str(key): float(median) for key, median in rows}


def _fastest_first(tier: Tier, candidates: dict[str, Candidate], medians: dict[str, float]) -> Tier:
    """The tier with its models in order of the median latency of their logged answers; unknown ones last."""

    def median(name: str) -> float:
        return medians.get(candidates[name].price_key if name in candidates else LOGGED, float("inf"))

    return tier.model_copy(update={"models": tuple(sorted(tier.models, key=median))})


def plan_of(
    store: Store, policy: Policy, calls: Calls, lanes: Lanes, routed: Route, budgets: Budgets, seed: int,
    outage: Outage | None = None,
) -> Plan:  # fmt: skip
    """The stages with state that this policy needs; `outage` is one of a scenario.

    Raises:
        CostctlError: E416 as `attempting`.
    """
    sticky, exact, semantic = policy.routing.sticky, policy.cache.exact, policy.cache.semantic
    arms = arms_of(store, policy, calls.count, seed)
    return Plan(
        cache=None if exact is None else _exact_cache(store, policy, arms, exact, calls, routed),
        semantic=None
        if semantic is None or lacks_texts(store)
        else semantic_cache(store, policy, semantic, calls, lanes, _may_reuse(store, policy)),
        session=None if sticky is None else session_codes(store, sticky),
        budgets=budgets if budgets.says_something else None,
        floor=None if budgets.goes_below_floor else routed.floor,
        attempts=attempting(store, policy, arms, calls, lanes, seed, outage),
    )


def _exact_cache(
    store: Store, policy: Policy, arms: Arms, spec: ExactCacheSpec, calls: Calls, routed: Route
) -> ExactCache:
    conditions = Conditions()
    tests = _reusable(policy, conditions)
    is_by_request = isinstance(spec, RequestCache)
    if is_by_request:  # it keeps whatever is asked and answered
        del tests[PERSONAL_DATA]
    out = " ".join(f"WHEN NOT ({test}) THEN {-number}" for number, test in enumerate(tests.values(), 1))
    columns = REQUEST_COLUMNS if is_by_request else [SCOPE_COLUMNS[name] for name in spec.scope]
    scope = "".join(f", {column}" for column in columns)
    key = f"CASE {out} ELSE CAST(hash(prompt_key{scope}) >> 1 AS BIGINT) END AS key"
    # Where neither tier nor log states a temperature, the providers' own default of 1 is used.
    found = fetch(store, f"{key}, coalesce(temperature, 1) AS temperature", conditions.params)
    keys: Int = found["key"]
    bars = ["", *tests]
    if spec.max_temperature is not None:
        is_hot = _temperature(arms, routed, found["temperature"]) > float(spec.max_temperature)
        keys = np.where((keys >= 0) & is_hot, -len(bars), keys)
        bars.append(f"its temperature is above {spec.max_temperature}")
    has_key = keys >= 0
    dense = np.full(calls.count, -1, dtype=np.int32)
    dense[has_key] = _in_order_of_appearance(keys[has_key])
    bar = np.where(has_key, 0, -keys).astype(np.int16)
    is_kept, is_from_last_hit = calls.is_ok & has_key, spec.ttl_from == "last_hit"
    return ExactCache(dense, is_kept, spec.ttl_us, is_from_last_hit, spec.capacity, bar, tuple(bars))


def _reusable(policy: Policy, conditions: Conditions) -> dict[str, str]:
    """Which calls no cache of answers is kept away from: what bars one, and the condition without it."""
    tests = dict(REUSABLE)
    for text in policy.cache.exclude:
        field, _, wanted = text.partition(":")
        if wanted:
            tests[f"excluded: {text}"] = f"NOT {conditions.equals(field, wanted)}"
    return tests


def semantic_alone(store: Store, policy: Policy, calls: Calls) -> SemanticCache:
    """The semantic cache of a policy without its tiers, reaching down to every threshold."""
    spec = policy.cache.semantic
    assert spec is not None
    alone = spec.model_copy(update={"serve_min": LOWEST_SERVED, "refresh_min": None, "refresh_tier": None})
    lanes = build_lanes(calls, (), (), {}, {}, {})
    return semantic_cache(store, policy, alone, calls, lanes, _may_reuse(store, policy))


def _may_reuse(store: Store, policy: Policy) -> Flag:
    conditions = Conditions()
    tests = " AND ".join(_reusable(policy, conditions).values())
    holds: Flag = fetch(store, f"({tests}) AS holds", conditions.params)["holds"]
    return holds


def _in_order_of_appearance(keys: Int) -> Int:
    """A number for each distinct key: those that are new together lie together in memory, and leave together."""
    names, code = np.unique(keys, return_inverse=True)
    first = np.empty(len(names), dtype=np.int64)
    first[code[::-1]] = np.arange(len(keys))[::-1]  # the last one written stays
    is_first = np.zeros(len(keys), dtype=np.int64)
    is_first[first] = 1
    numbers: Int = (np.cumsum(is_first) - 1)[first][code]
    return numbers


def _temperature(arms: Arms, routed: Route, logged: Any) -> Any:
    """The temperature that each call is sent with: that of the tier that the rules give, else as logged."""
    said = np.array([
        [*(np.nan if one.temperature is None else float(one.temperature) for one in (*arm.tiers, *arm.specialists)),
         np.nan]
        for arm in arms.policies
    ])  # fmt: skip
    of_tier = said[arms.of_call, routed.lane]
    return np.where(np.isnan(of_tier), logged, of_tier)


def prompt_caches(
    store: Store, policy: Policy, book: PriceBook, calls: Calls, lanes: Lanes, decisions: Decisions, days: PriceDays,
    known: Known, sent: Sent | None = None,
) -> Cached:  # fmt: skip
    """What the providers' prompt caches make of the decisions; `known` remembers prices from policy to policy."""
    is_served = decisions.served_by == PROVIDER
    spec = policy.cache.prompt
    is_sent = is_served & (decisions.lane != lanes.logged)
    is_cut = np.zeros(calls.count, dtype=np.bool_)
    if sent is not None:
        is_cut = is_sent & sent.changed_by("history")
        calls = replace(calls, cache_read_tokens=np.where(is_cut, sent.after.read, calls.cache_read_tokens))
    if spec is None:
        return nothing_cached(calls, is_served, is_served & lanes.take("is_other_model", decisions.lane))
    session = "CASE WHEN session_id IS NULL THEN -1 ELSE dense_rank() OVER (ORDER BY session_id, caller) END AS code"
    sessions: Int = fetch(store, session)["code"]
    found = read_blocks(store, "replay_call", "position", calls.count)
    blocks, has_blocks = found or (None, np.zeros(calls.count, dtype=np.bool_))
    # A window that slides breaks the prefix of the session: such a call finds nothing of it, and leaves nothing.
    sessions = np.where(is_cut, sessions.max() + 1 + np.arange(calls.count), sessions)
    has_blocks = has_blocks & ~is_cut

    def prices_of(model: str) -> InputPrices:
        if sent is not None:
            batched = batched_on(sent, calls, model) & is_sent
            columns = zip(sent.after, sent.before, strict=True)
            tokens = Buckets(*(np.where(is_sent, after, before) for after, before in columns))
            name_sent(store, np.ones(calls.count, dtype=np.bool_), tokens, batched)
            return input_prices(store, book, calls, model, days, "sent_call")
        found = known.get((model, None)) or input_prices(store, book, calls, model, days)
        assert isinstance(found, InputPrices)
        known[model, None] = found
        return found

    prefixes = Prefixes(sessions, blocks, has_blocks)
    return prompt_cache(calls, lanes, decisions.lane, is_served, prefixes, spec, prices_of)


def budget_rules(store: Store, policy: Policy, calls: Calls, lanes: Lanes) -> Budgets:
    """The policy's caps as numbers per call."""
    said = policy.budgets
    if isinstance(said, SpendFilter):
        of_deployments = tuple(_deployment_cap(cap, calls, lanes) for cap in said.usd_per_day)
        return Budgets(of_deployments, is_filtering=True)
    wanted: list[UsdCap | TokenCap] = [*said.usd_per_day, *said.tokens_per_day]
    caps = [_cap(store, calls, lanes, cap) for cap in wanted]
    shares = tuple(
        (lanes.number(tier), *share.as_integer_ratio()) for tier, share in sorted(said.max_share_per_day.items())
    )
    most = None if said.usd_per_request_max is None else _pusd(said.usd_per_request_max)
    return Budgets(tuple(caps), shares, most, said.over == "refuse", said.over_floor)


def _cap(store: Store, calls: Calls, lanes: Lanes, cap: UsdCap | TokenCap) -> Cap:
    is_tokens = isinstance(cap, TokenCap)
    limit = cap.max_tokens if isinstance(cap, TokenCap) else _pusd(cap.max_usd)
    everyone = constant(0, calls.count)
    title = f"{'tokens' if is_tokens else 'usd'}_per_day {cap.scope} {cap.name or ''}".strip()
    if cap.scope == "total":
        return Cap(title, everyone, limit, is_tokens)
    if cap.scope == "tier":
        return Cap(title, everyone, limit, is_tokens, lanes.number(str(cap.name)))
    column = SCOPE_COLUMNS[cap.scope]
    counted = SCOPE_COLUMNS["user"] if cap.scope == "user_profile" else column  # each user of the profile
    unit = numbers(store, counted)
    if cap.name is not None:
        unit = np.where(_is(store, column, cap.name), unit, -1)
    return Cap(title, unit, limit, is_tokens)


def _deployment_cap(cap: UsdCap, calls: Calls, lanes: Lanes) -> Cap:
    """A cap that each model of a tier has for itself; engines of one's own cost nothing there."""
    title, limit = f"usd_per_day {cap.scope} {cap.name or ''}".strip(), _pusd(cap.max_usd)
    if cap.scope == "total":
        return Cap(title, constant(0, calls.count), limit)
    number = lanes.number(str(cap.name))
    lane = lanes.lanes[number]
    unit = np.unique(lane.model, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return Cap(title, np.where(lane.service_us < 0, unit, -1), limit, lane=number)


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
