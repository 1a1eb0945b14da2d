"""Why things are as a simulation says: floors, stickiness, order of tiers, ratios of references, missing prices."""

from __future__ import annotations

import pytest

from costctl.cli import run
from tests.replay.reports import TIERS, Reports, request
from tests.replay.test_what_is_said import ROUTED, explained, said_of

ASSUMED = "assume: {output_tokens_ratio: 1, input_tokens_ratio: 1}\n"


def test_a_floor_that_stops_a_budget_is_named(reports: Reports) -> None:
    """The default is the tier of the floor, so it lifts nothing and yet keeps the call there."""
    floors = (
        "floors: [{name: no floor, when: {endpoint: /x}, at_least: C}, {name: sales, when: {user_id: u1}, at_least: B}]"
    )
    made = reports(
        f"{TIERS}{ASSUMED}routing: {{default: B, {floors}}}\nbudgets: {{usd_per_request_max: 0.0001}}\n",
        [request(0), request(1, user_id="u2")],
    )
    assert {row["reason"]: row["call_count"] for row in made["tables"]["routing"] if row["kind"] == "floor"} == {
        "no floor": 0, "sales": 0, "sales: kept from a budget": 1
    }  # fmt: skip
    told = {
        name: next(one for one in explained(reports, name)["tables"]["steps"] if one["stage"] == "budgets")
        for name in ("r0", "r1")
    }
    assert told["r0"]["reason"].endswith("; floor sales lets no budget take it lower")
    assert "floor" not in told["r1"]["reason"]


def test_calls_that_a_session_holds_have_a_row(reports: Reports) -> None:
    rules = "rules: [{name: dear, when: {endpoint: /lead}, to: C}]"
    made = reports(
        f"{TIERS}{ASSUMED}routing: {{default: A, sticky: user, {rules}}}\n",
        [request(0), request(1, endpoint="/lead"), request(2), request(3), request(4, user_id="u2")],
    )
    (row,) = [one for one in made["tables"]["routing"] if one["kind"] == "sticky"]
    assert (row["reason"], row["call_count"]) == ("its session or user was served higher before", 2)


def test_a_budget_that_makes_calls_dearer_says_so(reports: Reports) -> None:
    """The dear tier stands first: one step down from gpt-4o-mini is gpt-4o."""
    policy = (
        f"tiers: {{B: {{models: [gpt-4o]}}, A: {{models: [gpt-4o-mini]}}}}\n{ASSUMED}routing: {{default: A}}\n"
        "budgets: {usd_per_request_max: 0.0001}\n"
    )
    assert said_of(reports(policy, [request(0)]), "W308") == [
        "a budget takes 1 call down to a dearer tier (A to B), which costs <$0.01 more"
    ]
    right = f"{TIERS}{ASSUMED}routing: {{default: C}}\nbudgets: {{usd_per_request_max: 0.0001}}\n"
    assert not said_of(reports(right, [request(0)]), "W308")


def test_a_raise_that_adds_its_instruction_to_no_call_says_so(reports: Reports) -> None:
    item = "raise: [{name: up, when: {user_id: u1}, to: C, add_instruction: Be brief.}]"
    made = reports(f"{TIERS}{ASSUMED}routing: {{default: C, {item}}}\n", [request(0)])
    assert said_of(made, "W276") == [
        "routing.raise: up changes nothing; the 1 call that meet it stay as high as they are, "
        "so its instruction is added to none"
    ]
    silent = item.replace(", add_instruction: Be brief.", "")
    assert not said_of(reports(f"{TIERS}{ASSUMED}routing: {{default: C, {silent}}}\n", [request(0)]), "W276")


def test_a_ratio_of_references_alone_is_an_assumption(reports: Reports) -> None:
    """All calls stay on their model; only the row `all on gpt-4o-mini` needs its tokens."""
    tiers = "tiers: {A: {models: [gpt-4o-mini]}, C: {models: [gpt-4o]}}\nrouting: {default: C}\n"
    made = reports(tiers, [request(0), request(1)])
    rows = [(one["model"], one["what"], one["call_count"]) for one in made["tables"]["assumptions"]]
    assert rows == [
        ("openai/gpt-4o-mini", "input tokens, references only", 2),
        ("openai/gpt-4o-mini", "output tokens, references only", 2),
    ]
    assert made["provenance"]["status"]["policy_cost_usd"] == "replayed"
    moved = reports(tiers.replace("default: C", "default: A"), [request(0)])["tables"]["assumptions"]
    assert [one["what"] for one in moved] == ["input tokens", "output tokens"]


def test_calls_without_a_price_are_named(reports: Reports) -> None:
    made = reports(ROUTED, [request(0), request(1, model="nobody/knows")])
    assert said_of(made, "W201") == [
        "1 call has no list price, so it meets no cache and no budget: left as the log has them "
        "(nobody/knows: no price for 'knows')"
    ]
    (hint,) = [one["hint"] for one in made["warnings"] if one["code"] == "W201"]
    assert "--prices own.yaml" in hint


def test_a_batch_on_the_same_model_is_called_one(reports: Reports) -> None:
    reports("tiers: {C: {models: [gpt-4o]}}\nrouting: {default: C}\nbatch: {endpoints: [/chat], max_delay: 24h}\n",
            [request(0)])  # fmt: skip
    last = [one for one in explained(reports, "r0")["tables"]["steps"] if one["stage"] == "provider"][-1]
    assert last["reason"].startswith("as logged, at the price of a batch")


def test_refused_calls_were_routed(reports: Reports) -> None:
    """Two of three are refused: the accuracy is of the routes, the recall of what was served."""
    scores = reports.scores("request_id,expected_tier\nr0,C\nr1,C\nr2,A\n")
    policy = f"{TIERS}{ASSUMED}routing: {{default: C}}\nbudgets: {{usd_per_day: 0.0035, over: refuse}}\n"
    made = reports(policy, [request(number) for number in range(3)], "--scores", scores)
    total = made["totals"]
    assert (total["routing_accuracy_count"], total["routing_accuracy_ratio"]) == (3, 2 / 3)
    assert (total["complex_to_premium_count"], total["complex_to_premium_ratio"]) == (2, 0.5)
    rows = [tuple(one.values()) for one in made["tables"]["labels"]]
    assert rows == [("A", "C", None, 1), ("C", "C", "C", 1), ("C", "C", None, 1)]


def test_explaining_before_any_simulation_names_the_command(
    reports: Reports, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain-request", "r0", "--db", str(reports.folder / "none.duckdb")]) != 0
    assert "first: costctl simulate LOG --policy policy.yaml" in capsys.readouterr().err
