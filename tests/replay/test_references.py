"""What routing has to beat, worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.replay.reports import A_USD, ASSUME, C_USD, TIERS, Reports, request, usd

TWO = "tiers: {A: {models: [gpt-4o-mini]}, C: {models: [gpt-4o]}}\n"
HALF = f"{TWO}{ASSUME}routing: {{default: A, rules: [{{name: l, when: {{endpoint: /lead}}, to: C}}]}}\n"


def by_name(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["reference"]: row for row in report["tables"]["references"]}


def test_the_mix_of_two_models_at_the_cost_of_the_policy(reports: Reports) -> None:
    """Half of the calls on each: a coin that sends half to the dear model costs the same."""
    requests = [request(number, endpoint="/lead" if number % 2 else "/chat") for number in range(10)]
    found = by_name(reports(HALF, requests))
    assert usd(found["policy"]["cost_usd"]) == 5 * A_USD + 5 * C_USD
    assert found["random_at_equal_cost"]["share_ratio"] == 0.5
    assert found["random_at_equal_cost"]["cost_usd"] == found["policy"]["cost_usd"]
    assert found["random_at_equal_cost"]["what"] == "share of gpt-4o, the rest gpt-4o-mini"
    assert usd(found["all on gpt-4o-mini"]["cost_usd"]) == 10 * A_USD
    assert found["best_single_model"]["cost_usd"] is None
    assert found["best_single_model"]["what"] == "not identifiable: no scores of the models (--scores FILE)"
    assert usd(found["all on gpt-4o"]["cost_usd"]) == 10 * C_USD


def test_a_policy_cheaper_than_every_mix_has_no_equal(reports: Reports) -> None:
    requests = [request(number, prompt_hash="same") for number in range(4)]
    found = by_name(reports(HALF + "cache: {exact: {ttl: 1h}}\n", requests))
    assert found["random_at_equal_cost"]["cost_usd"] is None
    assert found["random_at_equal_cost"]["share_ratio"] is None
    assert "not identifiable: the policy costs less" in found["random_at_equal_cost"]["what"]


def test_one_model_alone_makes_no_mix(reports: Reports) -> None:
    found = by_name(
        reports(f"tiers: {{A: {{models: [gpt-4o-mini]}}}}\n{ASSUME}routing: {{default: A}}\n", [request(0)])
    )
    assert "not identifiable: only one price" in found["random_at_equal_cost"]["what"]


def test_a_model_that_cannot_hold_a_call_does_not_keep_every_call(reports: Reports) -> None:
    """gpt-4 holds 8,192 tokens, so the call of 10,000 stays as logged; the dearer model is the best single one."""
    tiers = "tiers: {A: {models: [gpt-3.5-turbo]}, C: {models: [gpt-4.1]}}\n"
    requests = [request(0), request(1, prompt_tokens=20_000)]
    found = by_name(reports(f"{tiers}{ASSUME}routing: {{default: C}}\n", requests))
    assert found["all on gpt-3.5-turbo"]["left_as_logged_count"] == 1
    assert usd(found["all on gpt-3.5-turbo"]["cost_usd"]) == usd("0.00065") + usd("0.051")
    assert found["best_single_model"]["what"] == "gpt-4.1, keeps every call: no other model can"
    tiers = "tiers: {A: {models: [gpt-3.5-turbo]}}\n"
    found = by_name(reports(f"{tiers}{ASSUME}routing: {{default: A}}\n", requests))
    assert found["best_single_model"]["cost_usd"] is None
    assert "not identifiable" in found["best_single_model"]["what"]


def test_without_scores_there_is_no_oracle(reports: Reports) -> None:
    row = by_name(reports(HALF, [request(0)]))["oracle"]
    assert row["cost_usd"] is None
    assert row["what"] == "not identifiable: no scores of other models (--scores FILE)"


def test_a_policy_without_models_has_no_references(reports: Reports) -> None:
    assert reports("cache: {exact: {ttl: 1h}}\n", [request(0)])["tables"]["references"] == []


def test_the_oracle_takes_the_best_score_and_of_equals_the_cheapest(reports: Reports) -> None:
    """r0 is better on the cheap model, r1 on the dear one, r2 equal, r3 has one score, r4 none; the policy is A."""
    scores = "request_id,model,score\n" + "".join(
        f"{line}\n"
        for line in (
            "r0,gpt-4o-mini,0.9", "r0,gpt-4o,0.8", "r1,gpt-4o-mini,0.5", "r1,gpt-4o,0.9", "r2,gpt-4o-mini,0.7",
            "r2,gpt-4o,0.7", "r3,gpt-4o,1",
        )
    )  # fmt: skip
    policy = f"{TWO}{ASSUME}routing: {{default: A}}\n"
    report = reports(policy, [request(number) for number in range(5)], "--scores", reports.scores(scores))
    found = by_name(report)
    assert usd(found["oracle"]["cost_usd"]) == A_USD + C_USD + A_USD + A_USD + A_USD
    assert (found["oracle"]["scored_count"], found["oracle"]["mean_score"]) == (3, 0.8333)  # (0.9 + 0.9 + 0.7) / 3
    assert (found["policy"]["scored_count"], found["policy"]["mean_score"]) == (3, 0.7)
    plain = "the plain mean of these scores, of 5 answers; policy_quality_mean may weight them"
    assert found["policy"]["what"] == plain
    # r3 has no score of the policy's answer, so it is left out here: (0.8 + 0.9 + 0.7) / 3, which is above 0.7.
    assert (found["all on gpt-4o"]["scored_count"], found["all on gpt-4o"]["mean_score"]) == (3, 0.8)
    assert found["best_single_model"]["what"] == "gpt-4o, keeps every call: best score"
    assert usd(found["best_single_model"]["cost_usd"]) == 5 * C_USD
    assert "each of 3 calls" in found["oracle"]["what"]


def test_a_mean_of_the_easy_calls_alone_is_shown_beside_the_policys_there(reports: Reports) -> None:
    """The rule sends r0 and r1 to the cheap model because they are easy; only there has anybody scored that model.

    Policy: (1 + 1 + 0 + 0) / 4. The cheap model alone: (1 + 1) / 2, which is what the policy has there too.
    """
    lines = ("r0,gpt-4o-mini,1", "r1,gpt-4o-mini,1", "r2,gpt-4o,0", "r3,gpt-4o,0", "r0,gpt-4o,1", "r1,gpt-4o,1")
    requests = [request(number, endpoint="/lead" if number > 1 else "/chat") for number in range(4)]
    scores = reports.scores("request_id,model,score\n" + "".join(f"{line}\n" for line in lines))
    found = by_name(reports(HALF, requests, "--scores", scores))
    assert (found["policy"]["scored_count"], found["policy"]["mean_score"]) == (4, 0.5)
    assert found["policy"]["what"] == ""
    for name in ("all on gpt-4o-mini", "random_at_equal_cost"):
        row = found[name]
        assert (row["scored_count"], row["mean_score"], row["policy_mean_score"]) == (2, 1.0, 1.0)
        assert row["what"].endswith(
            "a mean of 2 of the 4 calls of the policy's, where the policy's is 1.0: not comparable with it"
        )
    assert (found["all on gpt-4o"]["scored_count"], found["all on gpt-4o"]["mean_score"]) == (4, 0.5)
    assert found["all on gpt-4o"]["what"] == ""
    assert found["best_single_model"]["what"] == "gpt-4o, keeps every call: best score, 1 other model lacks scores"
    assert found["best_single_model"]["mean_score"] == 0.5
    screen = reports.said("--scores", scores, output="table")[1]
    assert "  P  policy: " in screen
    assert "  O  oracle: " in screen
    assert "  R  random" not in screen, "no mark for a mean of other calls"
    assert "all on gpt-4o-mini: <$0.01, 1.000" not in screen


def test_scores_of_a_part_of_the_calls_make_no_model_the_best(reports: Reports) -> None:
    """Each model has scores of the calls that the policy sends to it, and of no others: the worst was the best."""
    requests = [request(number, endpoint="/lead" if number > 1 else "/chat", model="gpt-4.1") for number in range(4)]
    lines = ("r0,gpt-4o-mini,0.6", "r1,gpt-4o-mini,0.6", "r2,gpt-4o,0.9", "r3,gpt-4o,0.9")
    scores = reports.scores("request_id,model,score\n" + "".join(f"{line}\n" for line in lines))
    row = by_name(reports(HALF, requests, "--scores", scores))["best_single_model"]
    assert (row["cost_usd"], row["mean_score"], row["scored_count"]) == (None, None, None)
    assert row["what"] == "not identifiable: none of 2 models has a score of every call that the policy has one of"


def test_of_models_with_equal_scores_the_cheapest_is_the_best_single_one(reports: Reports) -> None:
    lines = (f"r{number},{model},0.5" for number in range(4) for model in ("gpt-4o-mini", "gpt-4o"))
    scores = reports.scores("request_id,model,score\n" + "".join(f"{line}\n" for line in lines))
    row = by_name(reports(HALF, [request(number) for number in range(4)], "--scores", scores))["best_single_model"]
    assert row["what"] == "gpt-4o-mini, keeps every call: best score"


def test_without_a_score_of_the_policy_no_reference_has_a_mean(reports: Reports) -> None:
    scores = reports.scores("request_id,model,score\nr0,gpt-4o,0.9\n")
    row = by_name(reports(HALF, [request(0)], "--scores", scores))["all on gpt-4o"]
    assert (row["scored_count"], row["mean_score"]) == (0, None)
    assert row["what"] == "no mean: no answer of the policy has a score"


def test_scores_of_one_model_make_no_oracle(reports: Reports) -> None:
    scores = reports.scores("request_id,model,score\nr0,gpt-4o-mini,0.9\n")
    row = by_name(reports(HALF, [request(0)], "--scores", scores))["oracle"]
    assert row["cost_usd"] is None
    assert "not identifiable: no served call has scores of two models" in row["what"]


@pytest.mark.parametrize(
    ("policy", "saving", "without"),
    [
        # Four calls, two of them repeats: the cache alone saves two calls of gpt-4o.
        ("routing: {default: A}\ncache: {exact: {ttl: 1h}}\n", 4 * C_USD - 2 * A_USD, 2 * C_USD),
        ("routing: {default: A}\n", 4 * C_USD - 4 * A_USD, 0),
        ("cache: {exact: {ttl: 1h}}\n", 2 * C_USD, 2 * C_USD),
        ("routing: {default: C, sticky: user}\ncache: {exact: {ttl: 1h}}\n", 2 * C_USD, 2 * C_USD),
    ],
)
def test_the_saving_with_routing_switched_off(reports: Reports, policy: str, saving: Any, without: Any) -> None:
    requests = [request(number, prompt_hash=key) for number, key in enumerate("aabb")]
    report = reports(f"{TIERS}{ASSUME}{policy}", requests)
    assert usd(report["totals"]["saving_usd"]) == saving
    assert usd(report["totals"]["saving_without_routing_usd"]) == without
    assert report["provenance"]["status"]["saving_without_routing_usd"] == "replayed"
