"""Every target takes every policy that may be read: numbers at the ends of what is allowed."""

from __future__ import annotations

import pytest

from costctl.errors import CostctlError
from costctl.export.resolved import Resolved, resolved
from costctl.export.targets import TARGETS, exported
from costctl.policy.load import parse_policy
from costctl.policy.plain import plain_digest
from costctl.prices.book import load_book
from costctl.tiers.rules import load_rules

TIER = "version: 1\ntiers: {{A: {{models: [gpt-4o-mini]{}}}, B: {{models: [gpt-4o]}}}}\nrouting: {{default: A}}\n{}\n"
LIFETIMES = ("0s", "1ms", "500ms", "1s", "400d")
MORE = (
    *(f"cache: {{exact: {{ttl: {one}}}}}" for one in LIFETIMES),
    *(f"cache: {{semantic: {{serve_min: 0.9, ttl: {one}}}}}" for one in LIFETIMES),
    *(f"cache: {{semantic: {{serve_min: {one}, ttl: 1h}}}}" for one in ("0.9999999999", "1.5")),
    *(f"cache: {{exact: {{ttl: 1h, capacity: {one}}}}}" for one in ("1", "10k")),
    *(f"retries: {{max: {one}}}" for one in (1, 100)),
    *(f"budgets: {{usd_per_day: [{{max: {one}}}]}}" for one in ("0.000000001", "1000000000", "123456.123456789")),
    *(f"budgets: {{usd_per_day: [{{tier: B, max: {one}}}]}}" for one in ("0.000000001", "1000000000")),
    *(f"budgets: {{usd_per_request_max: {one}}}" for one in ("0.000000001", "1000000000")),
    *(f"budgets: {{tokens_per_day: [{{user: u, max: {one}}}]}}" for one in (1, 10**12)),
    *(f"budgets: {{max_share_per_day: {{B: {one}}}}}" for one in ("0.000000001", "0.3333333333333333", "100%")),
    *(f"kill_switch: {{error_ratio: 50%, window: 5m, cooldown: {one}}}" for one in ("1ms", "1s", "60d", "400d")),
    *(f"kill_switch: {{error_ratio: 50%, window: {one}, cooldown: 5m}}" for one in ("1ms", "1s", "60d")),
)
SETTINGS = (
    *(f", temperature: {one}" for one in ("0", "0.123456789012345678", "2")),
    *(f", max_output_tokens: {one}" for one in (1, 10**12)),
    *(f", context_tokens: {one}" for one in (1, 10**12)),
    *(f", timeout_s: {one}" for one in ("0.001", "86400")),
)
TEXTS = (*(TIER.format("", one) for one in MORE), *(TIER.format(one, "") for one in SETTINGS))


def read(text: str) -> Resolved:
    book = load_book()
    policy = parse_policy(text, "p", book=book)
    return resolved(policy, plain_digest(policy), book, load_rules().content, None)


@pytest.mark.parametrize("name", [target.name for target in TARGETS])
def test_a_policy_that_may_be_read_is_written(name: str) -> None:
    """By our own closed schema of the target, without a fault."""
    for text in TEXTS:
        exported(read(text), [name])


def test_what_is_cut_to_the_ends_of_litellm_is_said() -> None:
    for more, words in (
        ("cache: {exact: {ttl: 500ms}}", "its ttl is 1 s, the nearest that is taken"),
        ("cache: {exact: {ttl: 400d}}", "its ttl is 366 d, the nearest that is taken"),
        ("kill_switch: {error_ratio: 50%, window: 5m, cooldown: 60d}", "its cooldown is 31 d, the longest here"),
    ):
        ((_, made),) = exported(read(TIER.format("", more)), ["litellm"])
        assert any(words in str(one) for one in made.losses), more


def test_a_cache_that_serves_nothing_is_not_written() -> None:
    for more in ("cache: {exact: {ttl: 0s}}", "cache: {semantic: {serve_min: 1.5, ttl: 1h}}"):
        ((_, made),) = exported(read(TIER.format("", more)), ["litellm"])
        assert "cache_params" not in made.files["config.yaml"]


def test_a_value_that_a_target_has_no_room_for_is_an_error_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("costctl.export.litellm_config.TTL_MIN_US", 0)
    with pytest.raises(CostctlError, match=r"litellm takes no such value: .*ttl: must be a number from 1") as found:
        exported(read(TIER.format("", "cache: {exact: {ttl: 500ms}}")), ["litellm"])
    assert found.value.code == "E474"
