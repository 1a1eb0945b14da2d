"""Latencies of models that the log does not show: as the policy assumes, as somebody published, or not at all."""

from __future__ import annotations

import pytest

from tests.replay.around import ASSUME, TIERS, Around, call

TO_A = "routing: {default: A}\n"
OWN = "tiers: {A: {models: [%s]%s}}\nassume: {output_tokens_ratio: 1, input_tokens_ratio: 1%s}\n" + TO_A
UNKNOWN = "mistral/mistral-medium-latest"  # priced, and nobody's speed is in pricing/


def test_a_published_speed_stands_in_and_says_so() -> None:
    """gpt-4o-mini: 200 ms and 160 tokens a second; 100 tokens take 625 ms."""
    found = Around(TIERS + ASSUME + TO_A, [call(number) for number in range(8)])
    assert {one["policy_latency_ms"] for one in found.made} == {825.0}
    assert found.status("policy_latency_ms_p50") == "replayed under assumption"
    assert "policy_latency_ms_p50_low" not in found.totals
    (row,) = found.rows("latency_priors")
    assert (row["model"], row["call_count"], row["source"][:6]) == ("openai/gpt-4o-mini", 8, "claim:")
    assert "W238" in found.codes()


def test_what_the_policy_assumes_goes_before_it() -> None:
    both = Around(OWN % ("gpt-4o-mini", "", ", first_token_ms: 50, output_tokens_per_s: 1000"), [call(0)])
    assert both.made[0]["policy_latency_ms"] == 150.0
    assert both.rows("latency_priors")[0]["source"] == "the policy assumes it"
    for name in ("gpt-4o-mini", "openai/gpt-4o-mini"):
        one = Around(OWN % ("gpt-4o-mini", "", f", output_tokens_per_s: {{{name}: 50}}"), [call(0)])
        assert one.made[0]["policy_latency_ms"] == 200 + 100 * 1000 / 50
        assert one.rows("latency_priors")[0]["source"].startswith("the policy assumes it; claim:")


def test_a_model_of_which_nobody_says_anything_has_no_latency() -> None:
    found = Around(OWN % (UNKNOWN, "", ", first_token_ms: 50"), [call(0)])
    assert found.made[0]["policy_latency_ms"] is None
    why = found.report.provenance["not_computed"]["policy_latency_ms"]  # type: ignore[index]
    assert UNKNOWN in why
    said = Around(OWN % (UNKNOWN, "", ", first_token_ms: 50, output_tokens_per_s: 100"), [call(0)])
    assert said.made[0]["policy_latency_ms"] == 1050.0


def test_the_log_goes_before_every_prior() -> None:
    rows = [call(0), call(1, request_model="gpt-4o-mini", model="gpt-4o-mini", latency_ms=77.0)]
    found = Around(OWN % ("gpt-4o-mini", "", ", first_token_ms: 50, output_tokens_per_s: 1000"), rows)
    assert [one["policy_latency_ms"] for one in found.made] == [77.0, 77.0]
    assert found.rows("latency_priors") == [] if "latency_priors" in found.report.tables else True


@pytest.mark.parametrize(("timeout", "answered"), [("0.5", 0), ("2", 8)])
def test_a_timeout_cuts_it_like_a_logged_one(timeout: str, answered: int) -> None:
    found = Around(OWN % ("gpt-4o-mini", f", timeout_s: {timeout}", ""), [call(number) for number in range(8)])
    (row,) = found.rows("attempts")
    assert (row["answered_count"], row["timeout_count"]) == (answered, 8 - answered)


def test_the_model_that_is_not_known_is_named_not_the_one_that_answered() -> None:
    """Tier A is of unknown speed and answers; B behind it in the chain is known and asked for nothing."""
    policy = (
        f"tiers: {{A: {{models: [{UNKNOWN}]}}, B: {{models: [gpt-4o-mini]}}}}\n"
        "assume: {output_tokens_ratio: 1, input_tokens_ratio: 1}\nfallbacks: {A: [B]}\n" + TO_A
    )
    found = Around(policy, [call(number) for number in range(8)])
    why = found.report.provenance["not_computed"]["policy_latency_ms"]  # type: ignore[index]
    assert UNKNOWN in why
    assert "gpt-4o-mini" not in why
