"""What one part alone changes where a router carries it out in its own way, on small logs worked out by hand."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, get_args

import pytest

from costctl.cli import run
from costctl.export.agreement import with_agreement
from costctl.export.targets import exported
from costctl.policy.results import Target
from tests.export.test_targets import given
from tests.policy.example import EXAMPLE
from tests.replay.test_keys import ASSUME, COLUMNS, TIERS, request

TO_C = f"{TIERS}routing: {{default: C}}\n{ASSUME}"
Losses = dict[tuple[str, str], dict[str, Any]]


class Exports:
    """Measures targets on small logs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, policy: str, calls: list[tuple[Any, ...]], *targets: str, log: Path | None = None) -> Losses:
        table, file, out = (self.folder / name for name in ("log.csv", "policy.yaml", "report.json"))
        with table.open("w", encoding="utf-8", newline="") as target:
            csv.writer(target).writerows([COLUMNS, *calls])
        file.write_text("version: 1\n" + policy, "utf-8")
        names = [part for name in targets for part in ("--target", name)]
        where = ["--policy", str(file), "--folder", str(self.folder / "router"), "--db", str(self.folder / "c.duckdb")]
        command = ["export-config", *where, *names, "--log", str(log or table), "--output", "json", "-o", str(out)]
        assert run(command) == 0
        rows = json.loads(out.read_text("utf-8"))["tables"]["losses"]
        return {(row["target"], row["part"]): row for row in rows}


@pytest.fixture
def exports(tmp_path: Path) -> Exports:
    return Exports(tmp_path)


def counts(losses: Losses, part: str, target: str = "litellm-plugin") -> tuple[int, int]:
    """How many calls end alike, of how many."""
    row = losses[target, part]
    assert row["not_measured"] is None
    return row["alike_count"], row["call_count"]


def test_a_budget_that_filters_ends_other_calls(exports: Exports) -> None:
    """CBBBB as written; LiteLLM passes C over once it is spent, and asks A: CCAAA."""
    policy = f"{TO_C}fallbacks: {{C: [A]}}\nbudgets: {{usd_per_day: [{{tier: C, max: 0.005}}]}}\n"
    calls = [request(number) for number in range(5)]
    assert counts(exports(policy, calls, "litellm-plugin"), "budgets.usd_per_day: tier") == (1, 5)


def test_other_caps_are_no_part_of_a_cap_of_dollars(exports: Exports) -> None:
    """A share that LiteLLM drops is told as dropped; the cap alone lets all five pass on both sides."""
    caps = "budgets: {max_share_per_day: {C: 1%}, usd_per_request_max: 0.001, usd_per_day: [{tier: C, max: 1}]}\n"
    losses = exports(TO_C + caps, [request(number) for number in range(5)], "litellm-plugin")
    assert counts(losses, "budgets.usd_per_day: tier") == (5, 5)
    assert losses["litellm-plugin", "budgets.max_share_per_day"]["not_measured"] is None


def test_a_cache_keyed_otherwise_serves_other_calls(exports: Exports) -> None:
    """Users do not share in the policy and do in LiteLLM; a temperature above the bar is kept there, too: CcCc."""
    calls = [
        request(0, prompt_hash="q", user_id="u1"), request(1, prompt_hash="q", user_id="u2"),
        request(2, prompt_hash="q", user_id="u1", temperature=0.9), request(3, prompt_hash="q", temperature=0.9),
    ]  # fmt: skip
    policy = f"{TO_C}cache: {{exact: {{ttl: 1h, scope: [user], max_temperature: 0.5}}}}\n"
    assert counts(exports(policy, calls, "litellm", "litellm-plugin"), "cache.exact") == (2, 4)


def test_an_order_by_the_price_of_input_is_not_the_cheapest_for_each_request(exports: Exports) -> None:
    """gpt-4.1-nano is the cheaper one for input and output, so both orders begin with it; listed, it is the second."""
    tier = "tiers: {A: {models: [gpt-4o-mini, gpt-4.1-nano], select: cheapest}}\n"
    policy = f"{tier}routing: {{default: A}}\n{ASSUME}"
    calls = [request(number) for number in range(3)]
    losses = exports(policy, calls, "litellm-plugin", "portkey", "openrouter", "switchyard", "cloudflare", "envoy")
    part = "tiers.select: cheapest"
    for target in ("litellm-plugin", "portkey", "openrouter", "switchyard"):
        assert counts(losses, part, target) == (3, 3), target
    for target in ("cloudflare", "envoy"):
        assert counts(losses, part, target) == (0, 3), target


def test_a_tier_that_is_not_written_is_answered_by_another(exports: Exports) -> None:
    """LiteLLM's own scorer has four tiers; what goes to the fifth goes to the default instead."""
    names = ("gpt-4.1-nano", "gpt-4o-mini", "gpt-4.1-mini", "gpt-4.1", "gpt-4o")
    tiers = ", ".join(f"T{number}: {{models: [{name}]}}" for number, name in enumerate(names))
    rule = "{name: r, when: {endpoint: /big}, to: T4}"
    policy = f"tiers: {{{tiers}}}\nrouting: {{default: T0, rules: [{rule}]}}\n{ASSUME}"
    calls = [request(0), request(1, endpoint="/big"), request(2)]
    losses = exports(policy, calls, "litellm", "litellm-plugin")
    assert counts(losses, "tiers", "litellm") == (2, 3)
    assert losses["litellm-plugin", "tiers"]["kind"] == "expressed"


def test_waits_are_a_difference_of_retries(exports: Exports) -> None:
    """Nothing fails, so nobody waits: all calls end alike, as late."""
    losses = exports(f"{TO_C}retries: {{max: 1}}\n", [request(number) for number in range(3)], "litellm-plugin")
    assert counts(losses, "retries") == (3, 3)


def test_a_profile_measures_what_needs_no_text(exports: Exports) -> None:
    policy = f"{TO_C}fallbacks: {{C: [A]}}\nbudgets: {{usd_per_day: [{{tier: C, max: 0.005}}]}}\n"
    calls = [request(number) for number in range(5)]
    exports(policy, calls, "litellm-plugin")
    profile = exports.folder / "p.parquet"
    made = ["profile", str(exports.folder / "log.csv"), "-o", str(profile), "--db", str(exports.folder / "p.duckdb")]
    assert run(made) == 0
    losses = exports(policy, calls, "litellm-plugin", log=profile)
    assert counts(losses, "budgets.usd_per_day: tier") == (1, 5)


def test_every_approximated_part_has_a_measure_or_a_reason() -> None:
    """Of all targets, without a log: what could be measured says how, what could not says why."""
    resolved = given(EXAMPLE)
    for target, one in with_agreement(resolved, exported(resolved, get_args(Target)), {}):
        for loss in one.losses:
            assert (loss.not_measured is not None) == (loss.kind == "approximated"), (target.name, loss)
            assert loss.not_measured != "it was not run on a log", (target.name, loss.part)


def test_the_screen_names_what_is_not_measured(exports: Exports, capsys: pytest.CaptureFixture[str]) -> None:
    policy = f"{TO_C}fallbacks: {{C: [A]}}\nbudgets: {{usd_per_day: [{{tier: C, max: 0.005}}]}}\n"
    policy = policy.replace("C: {models: [gpt-4o]}", "C: {models: [gpt-4o], max_output_tokens: 900}")
    exports(policy, [request(number) for number in range(5)], "litellm-plugin", "envoy")
    capsys.readouterr()
    where = ["--policy", str(exports.folder / "policy.yaml"), "--folder", str(exports.folder / "router")]
    assert run(["export-config", *where, "--target", "litellm-plugin"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "1 of 5 calls end alike (20.0 %)" in said
    assert "not measured: it changes what is answered, not who answers" in said
