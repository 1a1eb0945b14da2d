"""The runbook: all that a policy says is in it, and no line speaks against another."""

from __future__ import annotations

from costctl.export import runbook
from costctl.policy.parts import PARTS
from tests.export.test_targets import MORE, given
from tests.policy.example import EXAMPLE


def text_of(policy: str) -> str:
    """The runbook of a policy."""
    return runbook.export(given(policy)).files["RUNBOOK.md"]


# What a policy says -> another value: nobody on call can act on what the runbook does not tell.
CHANGES = (
    ("select: first, max_output_tokens: 1200", "select: fastest, max_output_tokens: 1200"),
    ("max_output_tokens: 400", "max_output_tokens: 401"), ("context_tokens: 8k", "context_tokens: 9k"),
    ("temperature: 0.2", "temperature: 0.4"), ("timeout_s: 6", "timeout_s: 7"),
    ("models: [openai/gpt-4o-mini, anthropic", "models: [openai/gpt-4o, anthropic"),
    ("{models: [qwen/qwen-2.5-coder-32b-instruct]}", "{models: [openai/gpt-4o]}"), ("default: A", "default: B"),
    ("default: A ", "default: logged "), ("{has_code: true}", "{has_code: false}"), (">2000", ">2001"),
    ("greeting: A", "greeting: B"), ("use only the data", "use the data"),
    ("[/lead, /checkout]", "[/lead]"), ("sticky: session", "sticky: user"), ("B: 45%", "B: 44%"),
    ("usd_per_day: 120", "usd_per_day: 121"), ("usd_per_day: 120", "usd_per_day: [{team: a, max: 1}]"),
    ("usd_per_request_max: 0.05", "usd_per_request_max: 0.06"), ("over: degrade", "over: refuse"),
    ("over: degrade", "over: degrade\n  over_floor: true"), ("max: 20k", "max: 21k"),
    ("user_profile: free", "endpoint: /x"), ("requests_per_min: 500", "requests_per_min: 501"),
    ("over: fallback", "over: queue"), ("{C: [B, A], B: [A]}", "{C: [A, B], B: [A]}"),
    ("retries: {max: 1", "retries: {max: 2"), ("backoff_s: 0.5", "backoff_s: 0.6"),
    ("on: [timeout, rate_limit", "on: [rate_limit"), ("after_s: 9", "after_s: 8"),
    ("hedge: {tier: C", "hedge: {tier: B"), ("from: A, to: B", "from: A, to: C"),
    ("[refusal, truncated", "[truncated"), ("ratio: 8%", "ratio: 9%"), ("error_ratio: 20%", "error_ratio: 21%"),
    ("window: 15m", "window: 16m"), ("min_requests: 20", "min_requests: 21"), ("cooldown: 10m", "cooldown: 11m"),
    ("exact: {ttl: 24h", "exact: {ttl: 23h"), ("ttl_from: insert", "ttl_from: last_hit"),
    ("scope: [endpoint, team]", "scope: [endpoint]"), ("capacity: 100k", "capacity: 101k"),
    ("max_temperature: 0.3", "max_temperature: 0.4"), ("0.90,", "0.91,"), ("0.80,", "0.81,"),
    ("refresh_tier: A", "refresh_tier: B"), ("months: [1, 2]", "months: [1, 3]"), ("72h", "71h"),
    ("key: [intent, origin", "key: [origin"), ("providers: auto", "providers: none"),
    ("opt_in: [anthropic]", "opt_in: [google]"), ("exclude: [personal_data]", "exclude: ['endpoint:/p']"),
    ("turns: 12", "turns: 13"), ("over: 8k", "over: 9k"), ("summariser: A", "summariser: B"),
    ("ratio_kept: 0.5", "ratio_kept: 0.6"), ("min_input_tokens: 4k", "min_input_tokens: 5k"),
    ("tokens: 0.02", "tokens: 0.03"), ("ms_per_1k_tokens: 30", "ms_per_1k_tokens: 31"),
    ("usd_per_call: 0.001", "usd_per_call: 0.003"), ("latency_ms: 300", "latency_ms: 301"),
    ("hit_ratio: 80%", "hit_ratio: 81%"), ("endpoints: [/nightly]", "endpoints: [/n]"),
    ("max_delay: 24h", "max_delay: 23h"), ("engine: vllm", "engine: sglang"), ("accelerator: L4", "accelerator: T4"),
    ("count: 1", "count: 2"), ("usd_per_hour: 0.8", "usd_per_hour: 0.9"),
    ("tokens_per_s: 1500", "tokens_per_s: 1501"), ("max_num_seqs: 64", "max_num_seqs: 65"),
    ("quantization: awq", "quantization: gptq"), ("quality_ratio: 0.97", "quality_ratio: 0.98"),
    ("one_off_usd: 0", "one_off_usd: 1"), ("{output_format: html}", "{output_format: json}"),
    ("reformat: {tier: A", "reformat: {tier: B"), ("output_language_not: es", "output_language_not: en"),
    ("[p, b, ul, li]", "[p, b]"), ("no_contacts: true", "forbidden_links: [x.com]"), ("unit: user", "unit: session"),
    ("control: 50%, mini_only: {share: 50%", "control: 40%, mini_only: {share: 60%"),
    ("{B: {models: [openai/gpt-4o-mini]}}", "{B: {max_output_tokens: 99}}"),
)  # fmt: skip


def test_all_that_the_policy_says_is_in_the_runbook() -> None:
    before = text_of(EXAMPLE)
    lost = []
    for old, new in CHANGES:
        assert old in EXAMPLE, old
        if text_of(EXAMPLE.replace(old, new, 1)) == before:
            lost.append(old)
    assert lost == []


def test_the_names_that_routers_give_tiers_are_told() -> None:
    """Logs, headers and routes speak of tier-and; people of Ñandú."""
    text = text_of("version: 1\ntiers: {Ñandú: {models: [openai/gpt-4o-mini]}, a-b: {models: [openai/gpt-4o]}}\n")
    assert "| Ñandú | tier-and | openai/gpt-4o-mini |" in text
    assert "| a-b | tier-a-b | openai/gpt-4o |" in text


def test_weights_are_told() -> None:
    assert text_of(MORE) != text_of(MORE.replace("[0.9, 0.1]", "[0.8, 0.2]"))
    assert "drawn by 0.9 : 0.1" in text_of(MORE)


def test_the_loss_report_names_the_section_of_each_part() -> None:
    for policy in (EXAMPLE, MORE):
        made = runbook.export(given(policy))
        for loss in made.losses:
            heading = loss.says.partition("“")[2].rstrip("”")
            body = made.files["RUNBOOK.md"].partition(f"## {heading}\n")[2].partition("\n## ")[0]
            assert body.strip() and "None" not in body and "Nothing" not in body, loss
    assert {part.partition(".")[0] for part in PARTS} == set(runbook._SECTIONS)


def test_a_default_tier_and_the_model_asked_for_never_both_take_the_rest() -> None:
    with_tier, without = text_of(EXAMPLE), text_of(EXAMPLE.replace("default: A ", "default: logged "))
    assert "Everything else: to A." in with_tier
    assert "model that it asks for" not in with_tier
    assert "Everything else: left on the model that it asks for." in without
    assert "logged" not in without


def test_a_month_is_told_with_its_time() -> None:
    assert "kept 1 d in Jan, Feb, else 3 d" in text_of(EXAMPLE)
