"""The whole example of the design is read, and each of its values is what it says."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pydantic import ValidationError

from costctl.policy.caps import TokenCap, UsdCap
from costctl.policy.results import Gate
from costctl.policy.schema import Policy, TierChange
from costctl.policy.stages import DataSource, SeasonTtl
from costctl.policy.when import All, Any_, Compare, Is, Not, OneOf
from tests.policy.example import EXAMPLE, parsed

SECOND = 1_000_000
HOUR = 3_600 * SECOND


@pytest.fixture(scope="module")
def policy() -> Policy:
    return parsed(EXAMPLE)


def test_every_key_of_a_policy_stands_in_the_example(policy: Policy) -> None:
    assert policy.model_fields_set == set(Policy.model_fields)


def test_name_and_version(policy: Policy) -> None:
    assert (policy.version, policy.name) == (1, "travel-assistant")


def test_tiers_stand_in_the_order_of_the_file(policy: Policy) -> None:
    rows = [
        (tier.name, tier.models, tier.select, tier.weights, tier.max_output_tokens, tier.context_tokens,
         tier.temperature, tier.timeout_us)
        for tier in policy.tiers
    ]  # fmt: skip
    assert rows == [
        ("A", ("meta-llama/llama-3.1-8b-instruct",), "first", (), 400, 8_000, Decimal("0.2"), 6 * SECOND),
        ("B", ("openai/gpt-4o-mini", "anthropic/claude-3-5-haiku"), "first", (), 1_200, 32_000, Decimal("0.5"),
         12 * SECOND),
        ("C", ("openai/gpt-4o",), "first", (), 2_500, 128_000, Decimal("0.3"), 18 * SECOND),
    ]  # fmt: skip


def test_specialists(policy: Policy) -> None:
    assert [(one.name, one.models, one.timeout_us) for one in policy.specialists] == [
        ("code", ("qwen/qwen-2.5-coder-32b-instruct",), None),
        ("local", ("self/llama-3.1-8b",), None),
    ]


def test_routing(policy: Policy) -> None:
    routing = policy.routing
    assert routing.default == "A"
    assert [(rule.name, rule.when, rule.to) for rule in routing.rules] == [
        ("personal data stays here", Is("contains_personal_data", True), "local"),
        ("code", Is("has_code", True), "code"),
        ("long history or many places",
         Any_((Compare("input_tokens", ">", Decimal(2000)), Compare("destination_count", ">=", Decimal(3)))), "C"),
        ("image or large table", Any_((Is("has_image", True), Compare("table_rows", ">", Decimal(20)))), "C"),
        ("long and critical", All((OneOf("intent", ("lead",)), Compare("input_tokens", ">", Decimal(800)))), "C"),
    ]  # fmt: skip
    assert routing.matrix == {
        "greeting": "A", "confirmation": "A", "faq": "A", "reformat": "A", "extraction": "A", "recommendation": "B",
        "itinerary_short": "B", "itinerary_long": "C", "lead": "B",
    }  # fmt: skip
    assert [(one.name, one.when, one.to, one.add_instruction) for one in routing.raises] == [
        ("external facts", Is("external_facts", True), "C", "Do not invent; use only the data given.")
    ]
    assert [(one.name, one.when, one.at_least) for one in routing.floors] == [
        ("sales", OneOf("endpoint", ("/lead", "/checkout")), "B"),
        ("register", OneOf("register", ("es-CL",)), "B"),
    ]
    assert routing.sticky == "session"
    assert routing.classifier is None


def test_budgets(policy: Policy) -> None:
    budgets = policy.budgets
    assert budgets.max_share_per_day == {"B": Decimal("0.45"), "C": Decimal("0.15")}
    assert budgets.usd_per_day == (UsdCap("total", None, Decimal(120)),)
    assert budgets.usd_per_request_max == Decimal("0.05")
    assert (budgets.over, budgets.over_floor) == ("degrade", False)
    assert budgets.tokens_per_day == (
        TokenCap("user_profile", "free", 20_000),
        TokenCap("endpoint", "/chat", 5_000_000),
    )


def test_providers_and_attempts(policy: Policy) -> None:
    (limit,) = policy.limits.values()
    assert list(policy.limits) == ["openai"]
    assert (limit.requests_per_min, limit.tokens_per_min, limit.over) == (500, 200_000, "fallback")
    assert (limit.requests_per_day, limit.tokens_per_day) == (None, None)
    assert policy.fallbacks == {"C": ("B", "A"), "B": ("A",)}
    assert policy.retries is not None
    assert (policy.retries.max_count, policy.retries.backoff_us) == (1, 500_000)
    assert policy.retries.on == ("timeout", "rate_limit", "server_error")
    assert policy.hedge is not None
    assert (policy.hedge.tier, policy.hedge.after_us) == ("C", 9 * SECOND)
    assert policy.escalate is not None
    assert (policy.escalate.from_tier, policy.escalate.to, policy.escalate.ratio) == ("A", "B", Decimal("0.08"))
    assert policy.escalate.when == ("refusal", "truncated", "no_evidence")
    switch = policy.kill_switch
    assert switch is not None
    assert (switch.error_ratio, switch.window_us, switch.min_requests, switch.cooldown_us) == (
        Decimal("0.2"), 900 * SECOND, 20, 600 * SECOND,
    )  # fmt: skip


def test_caches(policy: Policy) -> None:
    exact, semantic, prompt = policy.cache.exact, policy.cache.semantic, policy.cache.prompt
    assert exact is not None
    assert semantic is not None
    assert prompt is not None
    assert (exact.ttl_us, exact.ttl_from, exact.scope) == (24 * HOUR, "insert", ("endpoint", "team"))
    assert (exact.capacity, exact.max_temperature) == (100_000, Decimal("0.3"))
    assert (semantic.serve_min, semantic.refresh_min, semantic.refresh_tier) == (Decimal("0.9"), Decimal("0.8"), "A")
    assert semantic.ttls == (
        SeasonTtl.model_validate({"months": (1, 2), "ttl": "24h"}),
        SeasonTtl.model_validate({"ttl": "72h"}),
    )
    assert [(season.months, season.ttl_us) for season in semantic.ttls] == [((1, 2), 24 * HOUR), (None, 72 * HOUR)]
    assert semantic.key == ("intent", "origin", "destination", "interests", "duration_days", "budget")
    assert semantic.guard == "strict"
    assert (prompt.providers, prompt.opt_in) == ("auto", ("anthropic",))
    assert policy.cache.exclude == ("personal_data",)


def test_context_and_compression(policy: Policy) -> None:
    context, compression = policy.context, policy.compression
    assert context is not None
    assert (context.max_history_turns, context.summarise_over_tokens, context.summariser) == (12, 8_000, "A")
    assert compression is not None
    assert (compression.ratio_kept, compression.min_input_tokens) == (Decimal("0.5"), 4_000)
    assert (compression.usd_per_million_tokens, compression.us_per_1k_tokens) == (Decimal("0.02"), 30_000)


def test_data_sources_stand_in_the_order_of_their_priority(policy: Policy) -> None:
    assert all(isinstance(one, DataSource) for one in policy.data_sources)
    assert [(one.name, one.usd_per_call, one.latency_us, one.hit_ratio) for one in policy.data_sources] == [
        ("own", Decimal(0), 20_000, Decimal("0.7")),
        ("official", Decimal("0.001"), 300_000, Decimal("0.8")),
        ("open_api", Decimal("0.002"), 600_000, Decimal(1)),
    ]


def test_batch_and_self_hosted(policy: Policy) -> None:
    assert policy.batch is not None
    assert (policy.batch.endpoints, policy.batch.max_delay_us) == (("/nightly",), 24 * HOUR)
    (own,) = policy.self_hosted
    assert (own.name, own.engine, own.accelerator, own.count) == ("self/llama-3.1-8b", "vllm", "L4", 1)
    assert (own.usd_per_hour, own.tokens_per_s, own.max_num_seqs) == (Decimal("0.8"), Decimal(1500), 64)
    assert (own.quantization, own.quality_ratio, own.one_off_usd) == ("awq", Decimal("0.97"), Decimal(0))


def test_post_process(policy: Policy) -> None:
    post = policy.post_process
    assert post is not None
    assert post.reformat is not None
    assert post.translate is not None
    assert post.validation is not None
    assert (post.reformat.tier, post.reformat.when) == ("A", OneOf("output_format", ("html",)))
    assert (post.translate.tier, post.translate.when) == ("A", Not(OneOf("output_language", ("es",))))
    assert post.validation.allowed_tags == ("p", "b", "ul", "li")
    assert post.validation.no_contacts is True
    assert post.validation.forbidden_links == ()


def test_experiments(policy: Policy) -> None:
    (experiment,) = policy.experiments
    assert (experiment.name, experiment.unit) == ("haiku or mini", "user")
    control, mini = experiment.arms
    assert (control.name, control.share, control.tiers) == ("control", Decimal("0.5"), {})
    assert (mini.name, mini.share) == ("mini_only", Decimal("0.5"))
    assert mini.tiers == {"B": TierChange(models=("openai/gpt-4o-mini",))}
    assert mini.tiers["B"].model_fields_set == {"models"}


def test_results(policy: Policy) -> None:
    assert (policy.assume.output_tokens_ratio, policy.assume.input_tokens_ratio) == (None, None)
    assert [(cost.name, cost.usd_per_month) for cost in policy.fixed_costs] == [("redis", Decimal(60))]
    assert policy.scenarios is not None
    outage = policy.scenarios.outage
    assert outage is not None
    assert (outage.provider, outage.duration_us) == ("openai", 45 * 60 * SECOND)
    assert outage.from_at == datetime(2026, 3, 5, 14, 0, tzinfo=UTC)
    assert policy.gates == (
        Gate("saving_ratio >= 0.40", "saving_ratio", ">=", Decimal("0.40"), "error"),
        Gate("policy_latency_ms_p95 <= 3000", "policy_latency_ms_p95", "<=", Decimal(3000), "error"),
        Gate("cache_hit_ratio >= 0.40", "cache_hit_ratio", ">=", Decimal("0.40"), "error"),
        Gate("routing_accuracy_ratio >= 0.90", "routing_accuracy_ratio", ">=", Decimal("0.90"), "error"),
    )
    assert policy.export is not None
    assert (policy.export.targets, policy.export.accept_loss) == (("litellm", "openrouter"), ())


def test_a_policy_is_a_value(policy: Policy) -> None:
    """Equal policies are equal, hash alike, go to another process and cannot change."""
    again = parsed(EXAMPLE)
    assert again == policy
    assert hash(again) == hash(policy)
    assert repr(again) == repr(policy)
    assert pickle.loads(pickle.dumps(policy)) == policy
    assert policy.model_copy(update={"name": "other"}) != policy
    with pytest.raises(ValidationError):
        policy.name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        policy.fallbacks["A"] = ()  # type: ignore[index]


def test_the_empty_policy_changes_nothing() -> None:
    empty = parsed("version: 1\n")
    assert empty.name == "policy"
    assert empty.tiers == empty.specialists == empty.gates == ()
    assert empty.routing.default is None
    assert empty.cache.exact is None
    assert empty.retries is None
    assert empty.fallbacks == {}
