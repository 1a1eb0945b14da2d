"""Calls of the story log with what the simulation of a policy decides of them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, NamedTuple

from costctl.cli import run
from costctl.export.resolved import Resolved, resolved
from costctl.policy.load import parse_policy
from costctl.prices.book import load_book
from costctl.tiers.rules import load_rules
from tests.support import ROOT

LOG = ROOT / "sample_logs" / "story.jsonl.gz"
BESIDE = (
    "endpoint", "app", "team", "user_id", "user_profile", "session_id", "input_tokens", "output_tokens",
)  # fmt: skip
POLICY = """version: 1
name: story
tiers:
  A: {models: [openai/gpt-4o-mini], max_output_tokens: 400, temperature: 0.2, timeout_s: 60}
  B: {models: [openai/gpt-4.1-mini], max_output_tokens: 1200, temperature: 0.5, timeout_s: 60}
  C: {models: [openai/gpt-4o], max_output_tokens: 2500, temperature: 0.3, timeout_s: 60}
routing:
  default: B
  rules:
    - {name: code, when: {has_code: true}, to: C}
    - {name: long history or many places, when: {any: [{input_tokens: '>2500'}, {destinations: '>=3'}]}, to: C}
  matrix: {greeting: A, confirmation: A, faq: A, reformat: A, extraction: A, rephrase: A, validation: A,
    short_summary: A, recommendation: B, itinerary_short: B, itinerary_long: C, reasoning: C, maths: C, drafting: C}
  raise: [{name: external facts, when: {external_facts: true}, to: C}]
  floors: [{name: sales, when: {endpoint: [/lead, /checkout]}, at_least: B}]
fallbacks: {C: [B, A], B: [A]}
"""
MODELS = {"gpt-4o-mini": "A", "gpt-4.1-mini": "B", "gpt-4o": "C"}
"""The tier of each model of the policy, as the upstream sees its name."""


class Told(NamedTuple):
    """One call: its messages, what lies beside them, and the tier that the simulation routes it to."""

    messages: list[dict[str, Any]]
    beside: dict[str, Any]
    tier: str


def given(text: str = POLICY) -> Resolved:
    """A policy resolved by the shipped prices and rules."""
    book = load_book()
    return resolved(parse_policy(text, "policy.yaml", book=book), "0" * 64, book, load_rules().content, None)


def story(folder: Path, count: int) -> list[Told]:
    """The first calls of the log that have a text, simulated in `folder`."""
    policy, decisions = folder / "story.yaml", folder / "decisions.jsonl"
    policy.write_text(POLICY, "utf-8")
    code = run(
        ["simulate", str(LOG), "--policy", str(policy), "--decisions", str(decisions),
         "--db", str(folder / "costctl.duckdb"), "--output", "json", "--out", str(folder / "run.json")]
    )  # fmt: skip
    assert code == 0
    made = {one["source_line"]: one for one in map(json.loads, decisions.read_text("utf-8").splitlines())}
    found = []
    with gzip.open(LOG, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            record = json.loads(line)
            if number in made and record.get("messages") and made[number]["routed_tier"] in MODELS.values():
                beside = {name: record[name] for name in BESIDE if record.get(name) is not None}
                beside["request_model"] = record["model"]
                found.append(Told(record["messages"], beside, made[number]["routed_tier"]))
            if len(found) == count:
                break
    assert len(found) == count
    return found
