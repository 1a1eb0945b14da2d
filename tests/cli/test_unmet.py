"""Names of a policy that answer to nothing are told, with the nearest that would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costctl.cli import run
from tests.support import ROOT

STORY = str(ROOT / "sample_logs" / "story.jsonl.gz")
POLICY = """
version: 1
tiers: {A: {models: [gpt-4o-mini]}, C: {models: [gpt-4o]}}
routing: {matrix: {%s: C}}
budgets: {tokens_per_day: [{endpoint: '%s', max: 5M}]}
limits: {%s: {requests_per_min: 1000k}}
assume: {output_tokens_ratio: 1}
"""


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("greeting", "/chat", "openai"), []),
        (("greting", "/chatt", "cohere"), ["greeting", "/chat", ""]),
    ],
)
def test_names_that_nothing_answers_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], names: tuple[str, ...], told: list[str]
) -> None:
    """Providers that the prices know, and of which neither log nor policy has a model, are among them."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY % names, "utf-8")
    arguments = ["--policy", str(policy), "--db", str(tmp_path / "c.duckdb"), "--output", "json"]
    assert run(["simulate", STORY, *arguments]) == 0
    found = [one for one in json.loads(capsys.readouterr().out)["warnings"] if one["code"] == "W237"]
    assert [name in one["message"] for name, one in zip(names, found, strict=False)] == [True] * len(found)
    assert len(found) == len(told)
    assert all(near in one["hint"] for near, one in zip(told, found, strict=True))


ROUTED = """
version: 1
tiers: {A: {models: [gpt-4o-mini]}, B: {models: [gpt-4.1-mini]}}
routing: {default: A}
assume: {output_tokens_ratio: 1, input_tokens_ratio: 1}
"""
QUESTION, FACTS = "How can I change the delivery address of my order?", "What is the weather in Lisbon today?"


def asked(number: int, words: str = QUESTION, **more: Any) -> dict[str, Any]:
    """One call in English of user u1 in team red."""
    return {
        "id": f"r{number}", "timestamp": f"2026-03-02T00:0{number}:00Z", "model": "gpt-4o", "endpoint": "/chat",
        "user_id": "u1", "team": "red", "messages": [{"role": "user", "content": words}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10}, **more,
    }  # fmt: skip


class Simulated:
    """Reports of small logs under policies."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder, self._capsys = folder, capsys

    def __call__(self, policy: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
        log, file = self._folder / "log.jsonl", self._folder / "policy.yaml"
        log.write_text("".join(json.dumps(one) + "\n" for one in calls), "utf-8")
        file.write_text(policy, "utf-8")
        db = str(self._folder / "c.duckdb")
        assert run(["simulate", str(log), "--policy", str(file), "--db", db, "--output", "json"]) == 0
        report: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        return report


@pytest.fixture
def simulated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Simulated:
    return Simulated(tmp_path, capsys)


NAMES = """
budgets: {{usd_per_day: [{{user: {0}, max: 1}}, {{team: {1}, max: 1}}], tokens_per_day: [{{user: {0}, max: 1M}}]}}
cache: {{exact: {{ttl: 1h}}, exclude: ['endpoint:{2}', 'team:{3}']}}
batch: {{endpoints: ['{4}'], max_delay: 24h}}
limits: {{{5}: {{requests_per_min: 100, over: queue}}}}
post_process: {{translate: {{tier: A, when: {{output_language_not: {6}}}}}}}
scenarios: {{outage: {{provider: {7}, from: '2026-03-02T00:00Z', for: 1m}}}}
"""


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("u1", "red", "/chat", "re*", "/ch*", "openai", "en", "openai"), []),
        (
            ("u1x", "rad", "/chatt", "blue*", "/laed*", "mistral", "xx", "cohere"),
            [
                ("budgets.usd_per_day", "u1x", "u1"), ("budgets.usd_per_day", "rad", "red"),
                ("budgets.tokens_per_day", "u1x", "u1"), ("cache.exclude", "/chatt", "/chat"),
                ("cache.exclude", "blue*", ""), ("batch.endpoints", "/laed*", "/lead"),
                ("limits", "mistral", ""), ("scenarios.outage", "cohere", ""),
                ("post_process.translate.when, not output_language", "xx", ""),
            ],
        ),
    ],
)  # fmt: skip
def test_names_that_no_call_has_are_told_wherever_they_stand(
    simulated: Simulated, names: tuple[str, ...], told: list[tuple[str, str, str]]
) -> None:
    report = simulated(ROUTED + NAMES.format(*names), [asked(0), asked(1, endpoint="/lead")])
    said = [
        (one["message"].split(": ")[0], one["message"].split("called ")[1].split(", so")[0], one["hint"])
        for one in report["warnings"] if one["code"] == "W237"
    ]  # fmt: skip
    assert said == [(key, name, f"did you mean {near}?" if near else "") for key, name, near in told]


@pytest.mark.parametrize(
    ("when", "field"),
    [
        ("{endpoint_not: /xyz}", "endpoint"), ("{not: {endpoint: [/xyz, /chat]}}", "endpoint"),
        ("{any: [{input_tokens: '>1'}, {not: {all: [{team: red}, {user_id: nobody}]}}]}", "user_id"),
        ("{not: {not: {endpoint: /xyz}}}", None),
    ],
)  # fmt: skip
def test_a_name_that_must_not_be_and_is_nowhere_excludes_nothing(
    simulated: Simulated, when: str, field: str | None
) -> None:
    """It says the opposite of a name that must be: the condition takes what it was meant to leave."""
    rule = f"{{default: A, rules: [{{name: far, when: {when}, to: B}}]}}"
    report = simulated(ROUTED.replace("{default: A}", rule), [asked(0)])
    told = [one["message"] for one in report["warnings"] if one["code"] == "W237"]
    name = "nobody" if field == "user_id" else "/xyz"
    said = f"routing.rules: far: when, not {field}: nothing is called {name}, so that excludes no call"
    assert told == ([] if field is None else [said])


def test_the_intents_of_a_log_are_said_not_to_be_read(simulated: Simulated) -> None:
    """The log calls its request by an intent of its own; the rules see a question like any other."""
    policy = ROUTED.replace(
        "{default: A}", "{default: A, matrix: {booking: A}, rules: [{name: b, when: {intent: booking}, to: B}]}"
    )
    report = simulated(f"{policy}data_sources: [{{name: own, hit_ratio: 50%}}]\n", [asked(0, intent="booking")])
    why = "intents are worked out from the text of the prompts by the tier rules, a log's own are not read"
    told = {(one["code"], one["message"], one["hint"]) for one in report["warnings"]}
    unasked = "data_sources: nobody asks own; no call that goes to a tier has the intent external_facts"
    assert told >= {
        ("W237", "routing.matrix: nothing is called booking, so that entry has no effect", why),
        ("W276", f"routing.rules: b meets no call; never in this log: intent booking; {why}", ""),
        ("W276", f"{unasked}; {why}", ""),
    }  # fmt: skip


def test_what_calls_meet_in_vain_is_told(simulated: Simulated) -> None:
    """A rule behind one that takes all, a raise of calls on no tier, and a batch where nothing is routed."""
    raised = "  raise: [{name: r, when: {input_tokens: '>1'}, to: B}]\n"

    def idle(policy: str) -> list[str]:
        return [one["message"] for one in simulated(policy, [asked(0)])["warnings"] if one["code"] == "W276"]

    rules = "  rules: [{name: all, when: {input_tokens: '>1'}, to: B}, {name: late, when: {endpoint: /chat}, to: A}]\n"
    assert idle(ROUTED.replace("routing: {default: A}\n", f"routing:\n{rules}{raised}")) == [
        "routing.rules: late changes nothing; rules before it take what meets it (1 call), or that is not to be moved"
    ]
    stays = ROUTED.replace("routing: {default: A}\n", f"routing:\n  default: logged\n{raised}")
    told = idle(f"{stays}batch: {{endpoints: [/chat], max_delay: 24h}}\nretries: {{max: 1}}\n")
    assert [text.split(";")[0].split(" to a tier")[0] for text in told] == [
        "routing.raise: r changes nothing", "batch, retries: no call goes",
    ]  # fmt: skip
    some = ROUTED.replace("{default: A}", "{default: logged, rules: [{name: b, when: {endpoint: /lead}, to: B}]}")
    calls = [asked(0), asked(1), asked(2, endpoint="/lead")]
    said = simulated(some.replace("to: B}]}", f"to: B}}],\n{raised[:-1].strip()}}}"), calls)["warnings"]
    assert [one["message"] for one in said if one["code"] == "W276"] == [
        "routing.raise: r changes nothing; 2 of the 3 calls that meet it are on no tier, "
        "and it lifts from tier to tier; the others are as high already"
    ]
    assert idle(ROUTED + "batch: {endpoints: [/chat], max_delay: 24h}\n") == []
    shorter = "context: {max_history_turns: 2}\ncompression: {ratio_kept: 0.5, min_input_tokens: 2k}\n"
    assert [text.split(";")[0] for text in idle(ROUTED + shorter)] == [
        "context changes nothing", "compression changes nothing",
    ]  # fmt: skip
    assert idle(ROUTED + "compression: {ratio_kept: 0.5}\n") == []


def test_parts_that_no_call_meets_are_told(simulated: Simulated) -> None:
    """Nobody asks for facts, for JSON or for tier B; the second source would have nothing left to say anyway."""
    sources = "[{name: own, hit_ratio: 100%}, {name: official, hit_ratio: 100%}]"
    arms = "{one: 50%, two: {share: 50%, tiers: {B: {models: [gpt-4o]}}}}"
    policy = (
        f"{ROUTED}data_sources: {sources}\nexperiments: [{{name: mini, unit: user, arms: {arms}}}]\n"
        "post_process: {reformat: {tier: A, when: {output_format: json}}}\n"
    )

    def idle(request: dict[str, Any], of: str = policy) -> list[str]:
        said = [one["message"].split(";")[0] for one in simulated(of, [request])["warnings"] if one["code"] == "W276"]
        return [text.split(", and")[0] for text in said]

    assert idle(asked(0)) == [
        "post_process.reformat meets no call", "data_sources: nobody asks own, official", "experiments: mini changes B",
    ]  # fmt: skip
    facts = asked(0, FACTS, response_format={"type": "json_object"})
    assert idle(facts) == ["data_sources: nobody asks official", "experiments: mini changes B"]
    met = policy.replace("own, hit_ratio: 100%", "own, hit_ratio: 0%").replace("default: A", "default: B")
    assert idle(facts, met) == []
