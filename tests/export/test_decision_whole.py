"""The exported file on whole logs: the same decision as the simulation, call by call, and never an exception."""

from __future__ import annotations

import gzip
import json
import time
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from costctl.cli import run
from costctl.export.decision import decision_file
from costctl.policy.classifier import load_classifier
from costctl.policy.load import load_policy
from costctl.prices.book import load_book
from costctl.tiers.router_file import dump_router
from costctl.tiers.rules import load_rules
from tests.export.test_decision import loaded
from tests.replay.test_classifier import router
from tests.support import ROOT

SUPPORT = ROOT.parent / "shared" / "data" / "support_bot" / "requests.jsonl.gz"
STORY = ROOT / "sample_logs" / "story.jsonl.gz"
ASSUME = "assume: {output_tokens_ratio: %s, input_tokens_ratio: 1}\n"
TIERS = "tiers: {A: {models: [gpt-4o-mini]}, B: {models: [gpt-4o, claude-sonnet-4-5]}, C: {models: [gpt-4.1]}}\n"
POLICIES = {
    "matrix": f"{TIERS}routing: {{default: B, matrix: {{greeting: A, faq: A, confirmation: A, maths: C}}}}\n",
    "rules": f"""{TIERS}routing:
  default: logged
  rules:
    - {{name: code, when: {{has_code: true}}, to: C}}
    - {{name: long, when: {{any: [{{input_tokens: '>2000'}}, {{turn_count: '>=4'}}]}}, to: C}}
    - {{name: personal, when: {{contains_personal_data: true}}, to: B}}
    - {{name: spanish, when: {{language: es, word_count: '<12'}}, to: A}}
    - {{name: reports, when: {{endpoint: '/nightly*'}}, to: A}}
  raise: [{{name: critical, when: {{criticality: '>=1'}}, to: C}}]
  floors:
    - {{name: register, when: {{register: es-CL}}, at_least: B}}
    - {{name: paying, when: {{user_profile: premium}}, at_least: B}}
""",
    "small": """tiers:
  A: {models: [gpt-4o-mini], context_tokens: 1000, max_output_tokens: 200}
  B: {models: [gpt-4o], context_tokens: 3000}
  C: {models: [gpt-4.1]}
routing: {default: A, floors: [{name: tools, when: {tool_count: '>=1'}, at_least: C}]}
""",
}  # fmt: skip


class Both:
    """Simulates a log and decides each of its requests with the exported file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def module(self, text: str) -> ModuleType:
        policy = self._folder / "policy.yaml"
        policy.write_text("version: 1\n" + text, "utf-8")
        wanted = load_policy(policy)
        router = load_classifier(wanted, policy)
        return loaded(decision_file(wanted, "0" * 64, load_rules().content, load_book(), router))

    def differences(self, text: str, log: Path, bodies: dict[str, Any]) -> tuple[int, Counter[tuple[str, str]]]:
        """Calls compared, and how often which pair of tiers differs; what no other model may take is left out."""
        module = self.module(text)
        made = self._folder / "made.jsonl"
        where = ["--policy", str(self._folder / "policy.yaml"), "--db", str(self._folder / "c.duckdb")]
        assert run(["simulate", str(log), *where, "--decisions", str(made), "--output", "json"]) == 0
        compared, differing = 0, Counter[tuple[str, str]]()
        for line in made.read_text("utf-8").splitlines():
            decision = json.loads(line)
            body, beside = bodies[decision["request_id"]]
            if beside.pop("is_stuck"):
                continue
            compared += 1
            found = module.decide(body, beside)["tier"]
            if found != decision["routed_tier"]:
                differing[found, decision["routed_tier"]] += 1
        return compared, differing


def requests_of(log: Path) -> dict[str, Any]:
    """Body and what the log tells beside it, by request id."""
    found = {}
    with gzip.open(log, "rt", encoding="utf-8") as lines:
        for line in lines:
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if not isinstance(row, dict) or "request_id" not in row:
                continue
            body = {name: row[name] for name in ("model", "messages", "max_tokens", "temperature", "stream", "tools")
                    if name in row}  # fmt: skip
            beside = {name: row.get(name) for name in ("endpoint", "app", "team", "user_id", "user_profile", "provider",
                                                       "session_id", "input_tokens", "output_tokens")}  # fmt: skip
            # A call that failed, is unpriced or lacks counts has no other lane in a simulation.
            is_stuck = row.get("status") != "ok" or row.get("output_tokens") is None or "acme" in str(row.get("model"))
            found[row["request_id"]] = (body, {**beside, "is_stuck": is_stuck})
    return found


@pytest.mark.parametrize("ratio", ["1", "3"])
@pytest.mark.parametrize("name", POLICIES)
def test_every_call_of_the_story_goes_where_the_simulation_sent_it(tmp_path: Path, name: str, ratio: str) -> None:
    compared, differing = Both(tmp_path).differences(POLICIES[name] + ASSUME % ratio, STORY, requests_of(STORY))
    assert compared > 5_500
    assert not differing


def test_a_learned_router_decides_alike(tmp_path: Path) -> None:
    (tmp_path / "router.json").write_text(dump_router(router(models=("gpt-4o-mini", "gpt-4.1"))), "utf-8")
    text = f"{TIERS}routing: {{default: B, classifier: {{file: router.json}}}}\n{ASSUME % 1}"
    compared, differing = Both(tmp_path).differences(text, STORY, requests_of(STORY))
    assert compared > 5_500
    assert not differing


@pytest.mark.shared
@pytest.mark.skipif(not SUPPORT.exists(), reason="the real data lie outside this repository")
def test_every_call_of_a_real_log_goes_where_the_simulation_sent_it(tmp_path: Path) -> None:
    compared, differing = Both(tmp_path).differences(POLICIES["rules"] + ASSUME % 1, SUPPORT, requests_of(SUPPORT))
    assert compared > 25_000
    assert not differing


def nested(depth: int) -> Any:
    found: Any = []
    for _ in range(depth):
        found = [found]
    return found


ODD = [
    {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 10**400, "temperature": 10**400},
    {"messages": [{"role": "user", "content": "hi"}], "tools": nested(5_000)},
    {"messages": [{"role": "user", "content": [{"type": "x", "y": nested(5_000)}]}]},
    {"messages": [{"role": "user", "content": "half \ud83d of a smile"}]},
    {"messages": nested(3_000)},
    {"model": 10**5000, "user": 3, "messages": 7},
    {"input": [{"type": "function_call_output", "output": 12}], "instructions": {"a": None}},
    [],
    None,
    "text",
]


@pytest.mark.parametrize("body", ODD, ids=range(len(ODD)))
def test_odd_bodies_are_decided_all_the_same(example: ModuleType, body: Any) -> None:
    for beside in (None, {"intent": "greeting", "tier": 3, "language": 1.5}, {"input_tokens": 10**400, "user": []}):
        assert isinstance(example.decide(body, beside)["tier"], str)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return Both(tmp_path_factory.mktemp("odd")).module(POLICIES["rules"])


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["role", "content", "text", "type", "messages", "tool_calls", "input", "system"]) | st.text(),
        inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip
BODY = st.dictionaries(
    st.sampled_from(["messages", "system", "input", "prompt", "instructions", "model", "max_tokens", "temperature",
                     "tools", "user", "response_format", "stream"]),
    JSON,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    body=BODY, beside=st.none() | st.dictionaries(st.sampled_from(["intent", "endpoint", "input_tokens", "x"]), JSON)
)
def test_no_body_raises(example: ModuleType, body: Any, beside: Any) -> None:
    assert isinstance(example.decide(body, beside)["tier"], str)


def test_nobody_claims_what_is_read_from_the_text(example: ModuleType) -> None:
    body = {"messages": [{"role": "user", "content": "Gracias!"}], "model": "gpt-4.1"}
    plain = example.decide(body)
    assert example.decide(body, {"intent": "reasoning", "has_code": True, "language": "en"}) == plain
    assert example.decide({"model": "gpt-4.1"}, {"intent": "greeting"})["intent"] == example.decide({})["intent"]


def test_the_proxy_knows_better_than_the_request(tmp_path: Path) -> None:
    import asyncio
    from types import SimpleNamespace

    module = Both(tmp_path).module(
        f"{TIERS}routing: {{default: A, rules: [{{name: vip, when: {{team: vip}}, to: C}}]}}\n"
    )

    def tier(**metadata: Any) -> str:
        context = SimpleNamespace(structured_messages=[{"role": "user", "content": "hi"}], metadata=metadata)
        found: str = asyncio.run(module.costctl_tier.classify(context))
        return found

    assert tier(team="vip") == "C"
    assert tier(team="vip", user_api_key_team_id="web") == "A"
    assert tier(team="web", user_api_key_team_alias="vip") == "C"


@pytest.mark.parametrize(
    ("text", "is_code"),
    [
        ("select a from b where c", True), ("SELECT a, b\nFROM t\nJOIN u", True), ("select a from b;", True),
        ("select from where", True), ("select a from b", False), ("select a. from b where c", False),
        (f"select {'a' * 198} from b;", True), (f"select {'a' * 199} from b;", False),
        (f"select a from {'b' * 199};", True), (f"select a from {'b' * 200};", False),
        ("selects a from b where c", False), ("select a from select b from c; d", True),
    ],
)  # fmt: skip
def test_a_query_is_found_as_the_engine_finds_it(example: ModuleType, text: str, is_code: bool) -> None:
    import polars as pl

    engine = load_rules().features(pl.Series("text", [text]))["has_code"][0]
    assert engine == is_code
    assert example._DECIDER._features.read(text)["has_code"] == is_code


def test_long_texts_take_time_in_proportion(example: ModuleType) -> None:
    """Ten times the text at most 25 times the time; a backtracking pattern took a hundred times as long."""

    def seconds(times: int) -> float:
        body = {"messages": [{"role": "user", "content": "select from " * times}]}
        started = time.process_time()
        example.decide(body)
        return time.process_time() - started

    short = min(seconds(1_000) for _ in range(3))
    assert min(seconds(10_000) for _ in range(2)) < 25 * max(short, 0.002)


def test_a_decision_that_was_changed_by_hand_is_refused(tmp_path: Path) -> None:
    from costctl.export import generic
    from costctl.export.resolved import resolved

    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 1\n" + POLICIES["rules"], "utf-8")
    files = dict(generic.export(resolved(load_policy(policy), "0" * 64, load_book(), load_rules().content, None)).files)
    assert generic.faults(files) == []
    text = files["costctl_route.py"]
    for old, new, found in (
        ('"to":"C"', '"to":"Z"', "no lane is called Z"), ("decide = _DECIDER.decide", "", "decides nothing"),
        ('"name":"A"', '"name":"AA"', "decides between"), ('"timeout_s"', '"timout_s"', "timout_s"),
        ("class Decider", "klass Decider", "invalid syntax"),
    ):  # fmt: skip
        assert old in text
        (fault, *_) = generic.faults({**files, "costctl_route.py": text.replace(old, new)})
        assert found in fault
    assert generic.faults({"costctl_route.py": text}) == ["costctl-policy.resolved.json: is missing"]
