"""simulate, policy check and explain-request as a user meets them, mistakes first."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import polars as pl
import pytest

from costctl.cli import run
from tests.support import ROOT

STORY = str(ROOT / "sample_logs" / "story.jsonl.gz")


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of one command."""
    code = run(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_every_mistake_of_a_policy_is_told_before_the_log_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 1\ntiers: {A: {models: [m], max_output_token: 4}}\nrouting: {default: B}\n", "utf-8")
    code, out, err = said(capsys, "simulate", "no-such-log.jsonl", "--policy", str(policy))
    assert (code, out) == (2, "")
    assert err.count("did you mean max_output_tokens?") == 1, "the first mistake is told once"
    assert f"{policy}:3:11" in err
    assert "no-such-log" not in err


@pytest.mark.parametrize(
    ("policy", "code", "message"),
    [
        ("tiers: {A: {models: [gpt-4oo]}}", 2, "no price for 'gpt-4oo'"),
        ("tiers: {A: {models: [o1]}}\nrouting: {default: A}", 4, "not identifiable"),
    ],
)
def test_a_model_that_cannot_be_priced_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], policy: str, code: int, message: str
) -> None:
    (tmp_path / "policy.yaml").write_text(f"version: 1\n{policy}\n", "utf-8")
    found = said(
        capsys, "simulate", STORY, "--policy", str(tmp_path / "policy.yaml"), "--db", str(tmp_path / "c.duckdb")
    )
    assert found[0] == code
    assert message in found[2]


def test_without_a_time_there_is_nothing_to_replay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, policy = tmp_path / "log.csv", tmp_path / "policy.yaml"
    log.write_text("model,prompt_tokens,completion_tokens\ngpt-4o,10,5\n", "utf-8")
    policy.write_text("version: 1\n", "utf-8")
    code, _, err = said(capsys, "simulate", str(log), "--policy", str(policy), "--db", str(tmp_path / "c.duckdb"))
    assert code == 4
    assert "E410" in err


def test_nothing_audited_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "policy.yaml").write_text("version: 1\n", "utf-8")
    where = ["--policy", str(tmp_path / "policy.yaml"), "--db", str(tmp_path / "c.duckdb")]
    assert said(capsys, "simulate", *where)[0] == 3
    assert said(capsys, "explain-request", "r1", "--db", str(tmp_path / "c.duckdb"))[0] == 3


def test_the_log_audited_last_is_simulated_and_one_request_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy, db = tmp_path / "policy.yaml", ["--db", str(tmp_path / "c.duckdb")]
    policy.write_text(
        "version: 1\ntiers: {A: {models: [gpt-4o-mini]}}\nrouting: {default: A}\ncache: {exact: {ttl: 24h}}\n", "utf-8"
    )
    assert said(capsys, "audit", STORY, *db)[0] == 0
    code, out, _ = said(capsys, "simulate", "--policy", str(policy), *db, "--output", "json")
    report = json.loads(out)
    assert code == 0
    assert report["provenance"]["logs"] == [STORY]
    change = sum(float(row["change_usd"]) for row in report["tables"]["waterfall"])
    assert round(change, 9) == round(-float(report["totals"]["saving_usd"]), 9)
    code, out, _ = said(capsys, "explain-request", "req-000010", *db, "--output", "json")
    steps = json.loads(out)["tables"]["steps"]
    assert [step["stage"] for step in steps] == ["simulation", "log", "exact_cache", "route", "provider", "total"]
    code, _, err = said(capsys, "explain-request", "req-000010x", *db)
    assert code == 3
    assert "did you mean req-000010?" in err
    screen = said(capsys, "simulate", "--policy", str(policy), *db)[1]
    assert "saves" in screen
    assert "latencies are of whole calls" in screen
    assert all(len(line) <= 80 for line in screen.splitlines())


def test_policy_check_needs_no_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 1\nname: mine\ntiers: {A: {models: [gpt-4o]}}\nrouting: {default: A}\n", "utf-8")
    code, out, _ = said(capsys, "policy", "check", str(policy))
    assert code == 0
    assert out.startswith("policy mine: 1 tier, 0 rules; no mistake\n\n  tier          A: gpt-4o\n")
    assert all(len(line) <= 80 for line in out.splitlines())
    policy.write_text("version: 1\nexport: {targets: [litelm]}\n", "utf-8")
    code, _, err = said(capsys, "policy", "check", str(policy))
    assert code == 2
    assert "did you mean litellm?" in err


def test_models_without_a_price_are_told_with_every_other_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "version: 1\ntiers:\n  A: {models: [gpt-4o-mni, gpt-4o]}\n  B: {models: [mine/one], timeout_s: soon}\n", "utf-8"
    )
    code, _, err = said(capsys, "policy", "check", str(policy))
    assert code == 2
    assert "policy.yaml:3:16: tiers.A.models[0]: no price for 'gpt-4o-mni'; did you mean openai/gpt-4o-mini" in err
    assert "policy.yaml:4:16: tiers.B.models[0]: no price for" in err
    assert "tiers.B.timeout_s" in err
    rates = tmp_path / "own.yaml"
    rates.write_text("models: {mine/one: {input: 1, output: 2}}\n", "utf-8")
    policy.write_text("version: 1\ntiers: {B: {models: [mine/one]}}\nrouting: {default: B}\n", "utf-8")
    code, _, err = said(capsys, "policy", "check", str(policy), "--prices", str(rates))
    assert (code, err) == (0, "")


def test_the_way_of_a_request_names_each_tier_that_it_was_given(
    story: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every request goes from A by its rule to B by a raise to C by a floor."""
    Path(story[1]).write_text(
        "version: 1\ntiers: {A: {models: [gpt-4o-mini]}, B: {models: [gpt-4.1-mini]}, C: {models: [gpt-4o]}}\n"
        "routing:\n  rules: [{name: all, when: {input_tokens: '>0'}, to: A}]\n"
        "  raise: [{name: up, when: {input_tokens: '>0'}, to: B}]\n"
        "  floors: [{name: least, when: {input_tokens: '>0'}, at_least: C}]\n"
        "assume: {output_tokens_ratio: 1, input_tokens_ratio: 1}\n", "utf-8"
    )  # fmt: skip
    assert said(capsys, "simulate", STORY, *story)[0] == 0
    _, out, _ = said(capsys, "explain-request", "req-000010", *story[2:], "--output", "json")
    steps = json.loads(out)["tables"]["steps"]
    assert [(one["decision"], one["reason"]) for one in steps if one["stage"] == "route"] == [
        ("tier A", "all"), ("raised to tier B", "up"), ("floored to tier C", "least"),
    ]  # fmt: skip


def test_a_rule_that_meets_no_call_is_told_with_what_never_holds(
    story: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path(story[1]).write_text(
        "version: 1\ntiers: {A: {models: [gpt-4o-mini]}}\nassume: {output_tokens_ratio: 1, input_tokens_ratio: 1}\n"
        "routing:\n  rules:\n"
        "    - {name: images, when: {any: [{has_image: true}, {table_rows: '>90'}]}, to: A}\n"
        "    - {name: long and short, when: {input_tokens: '>2000', output_tokens: '<1'}, to: A}\n"
        "    - {name: all, when: {input_tokens: '>0'}, to: A}\n"
        "    - {name: never asked, when: {input_tokens: '>1'}, to: A}\n", "utf-8"
    )  # fmt: skip
    _, out, _ = said(capsys, "simulate", STORY, *story, "--output", "json")
    told = [one["message"] for one in json.loads(out)["warnings"] if one["code"] == "W276"]
    assert told[0] == "routing.rules: images meets no call; never in this log: has image; table rows above 90"
    assert told[1].startswith("routing.rules: long and short meets no call")
    assert [text.split(";")[0] for text in told[2:]] == ["routing.rules: never asked changes nothing"]  # behind `all`


def test_the_started_policy_of_a_log_can_be_simulated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said(capsys, "init", "--from", STORY)[0] == 0
    code, out, _ = said(capsys, "simulate", "--output", "json")
    assert code == 0
    assert json.loads(out)["totals"]["call_count"] == 5882


@pytest.fixture
def story(tmp_path: Path) -> list[str]:
    """A copy of the story log, a policy beside it, and the options that name policy and workspace."""
    (tmp_path / "story.jsonl.gz").write_bytes(Path(STORY).read_bytes())
    (tmp_path / "policy.yaml").write_text("version: 1\ncache: {exact: {ttl: 24h}}\n", "utf-8")
    return ["--policy", str(tmp_path / "policy.yaml"), "--db", str(tmp_path / "c.duckdb")]


@pytest.mark.parametrize("option", ["-o", "--decisions"])
def test_the_log_of_the_last_audit_is_never_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], story: list[str], option: str
) -> None:
    log = tmp_path / "story.jsonl.gz"
    before = log.read_bytes()
    assert said(capsys, "simulate", str(log), *story)[0] == 0
    code, _, err = said(capsys, "simulate", *story, option, str(log))
    assert (code, log.read_bytes()) == (2, before)
    assert "E323" in err


def test_two_answers_do_not_go_into_one_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], story: list[str]
) -> None:
    same = str(tmp_path / "x.jsonl")
    assert said(capsys, "simulate", STORY, *story, "-o", same, "--decisions", same)[0] == 2
    assert said(capsys, "policy", "check", story[1], "-o", story[1])[0] == 2
    assert Path(story[1]).read_text("utf-8").startswith("version: 1")


def test_decisions_are_written_as_parquet_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], story: list[str]
) -> None:
    target = tmp_path / "made.parquet"
    assert said(capsys, "simulate", STORY, *story, "--decisions", str(target))[0] == 0
    made = pl.read_parquet(target)
    assert made.height == 5882
    assert made["policy_cost_usd"].dtype == pl.Decimal(38, 12)


@pytest.mark.parametrize(
    ("model", "tokens", "code", "message"),
    [("gpt-4o", 10**15, 3, "E126"), ("acme-x", 100, 4, "E415")],
)
def test_a_log_with_nothing_to_replay_is_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    story: list[str],
    model: str,
    tokens: int,
    code: int,
    message: str,
) -> None:
    row = {"request_id": "r", "started_at": "2026-06-11T00:00:00Z", "request_model": model, "input_tokens": tokens}
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps({**row, "output_tokens": 1, "status": "ok"}) + "\n", "utf-8")
    found = said(capsys, "simulate", str(log), *story)
    assert (found[0], message in found[2]) == (code, True)


@pytest.mark.parametrize(("counted", "code"), [(0, 4), (1, 0)])
def test_a_log_without_any_token_counts_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], story: list[str], counted: int, code: int
) -> None:
    """Nothing is known of what it costs: no $0.00. A failure that cost nothing makes no price of it."""
    lines = [
        {"request_id": f"r{n}", "started_at": f"2026-06-11T00:00:0{n}Z", "request_model": "gpt-4o", "status": status}
        for n, status in enumerate(("ok", "error", "ok"))
    ]
    for line in lines[:counted]:
        line |= {"input_tokens": 100, "output_tokens": 10}  # type: ignore[dict-item]
    log = tmp_path / "log.jsonl"
    log.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    found = said(capsys, "simulate", str(log), *story)
    assert found[0] == code
    assert ("E427" in found[2], "W201" in found[1] + found[2]) == (code == 4, code == 0)
    if code:
        assert "$" not in found[1]


def test_a_dearer_policy_says_what_it_costs_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], story: list[str]
) -> None:
    Path(story[1]).write_text("version: 1\ntiers: {A: {models: [claude-opus-4-1]}}\nrouting: {default: A}\n", "utf-8")
    screen = said(capsys, "simulate", STORY, *story)[1]
    assert "saves -" not in screen
    assert " more\n" in screen


BESIDE = """version: 1
name: all
tiers: {A: {models: [gpt-4o-mini], max_output_tokens: 500}, C: {models: [gpt-4o]}}
routing: {default: A, floors: [{name: leads, when: {endpoint: [/leads]}, at_least: C}]}
cache: {exact: {ttl: 24h}, prompt: {providers: auto}}
budgets: {usd_per_day: 1}
fixed_costs: [{name: redis, usd_per_month: 6, one_off_usd: 20}]
scenarios: {volume_ratio: 2, price_ratio: {openai/gpt-4o: 1.5}}
experiments: [{name: half, unit: user, arms: {now: 50%, mini: {share: 50%, tiers: {C: {models: [gpt-4.1-mini]}}}}}]
gates: ['net_saving_usd >= 0', {gate: 'policy_quality_mean >= 0.9', level: warn}]
"""


def test_all_that_stands_beside_a_run_in_every_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], story: list[str]
) -> None:
    Path(story[1]).write_text(BESIDE, "utf-8")
    scores, base = tmp_path / "scores.jsonl", tmp_path / "base.json"
    lines = ({"request_id": f"req-{n:06d}", "model": "gpt-4o-mini", "score": n % 10 / 10} for n in range(1, 900))
    label = {"request_id": "req-000010", "expected_tier": "A"}
    scores.write_text("".join(f"{json.dumps(line)}\n" for line in (*lines, label)), "utf-8")
    asked = [STORY, *story, "--scores", str(scores), "--staged"]
    assert said(capsys, "simulate", *asked, "--output", "json", "-o", str(base))[0] == 0
    code, out, _ = said(capsys, "simulate", *asked, "--compare-to", str(base), "--output", "json")
    report = json.loads(out)
    assert code == 0
    jsonschema.validate(report, json.loads((ROOT / "costctl/render/report.schema.json").read_text("utf-8")))
    assert {
        "compare",
        "references",
        "staged",
        "scenarios",
        "arms",
        "fixed_costs",
        "labels",
        "scores",
        "quality",
    } <= set(report["tables"])
    assert set(report["provenance"]["status"]) == set(report["totals"])
    assert all(row["change"] is None or float(row["change"]) == 0 for row in report["tables"]["compare"])
    assert said(capsys, "simulate", *asked, "--compare-to", str(base), "--output", "json")[1] == out
    screen = said(capsys, "simulate", *asked, "--compare-to", str(base))[1]
    assert all(len(line) <= 80 for line in screen.splitlines())
    assert "0 of " in screen.partition("figures differ")[0]
    for form in ("csv", "markdown"):
        assert "random_at_equal_cost" in said(capsys, "simulate", *asked, "--output", form)[1].replace("\\", "")


def test_policy_check_tells_what_stands_beside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], story: list[str]
) -> None:
    Path(story[1]).write_text(BESIDE, "utf-8")
    out = said(capsys, "policy", "check", story[1])[1]
    assert "$6 a month, $20 once" in out
    assert "by user: now 50%, mini 50%" in " ".join(out.split())
    assert "2 times the log" in out


def test_the_router_configuration_stands_beside_the_projections(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy, folder = tmp_path / "policy.yaml", tmp_path / "router"
    text = "version: 1\ntiers: {A: {models: [gpt-4o-mini]}}\nrouting: {default: A}\nhedge: {tier: A, after_s: 2}\n"
    policy.write_text(text, "utf-8")
    arguments = ["simulate", STORY, "--policy", str(policy), "--db", str(tmp_path / "c.duckdb")]
    assert "ROUTER CONFIGURATION" not in said(capsys, *arguments)[1]

    policy.write_text(text + "export: {targets: [runbook, json]}\n", "utf-8")
    screen = said(capsys, *arguments)[1]
    assert "ROUTER CONFIGURATION runbook/RUNBOOK.md: 18 of" in screen
    assert all(len(line) <= 80 for line in screen.splitlines())
    report = json.loads(said(capsys, *arguments, "--output", "json")[1])
    told = [row["text"] for row in report["tables"]["router_config"]]

    code, screen, _ = said(capsys, *arguments, "--export", str(folder))
    assert code == 0
    assert "ROUTER CONFIGURATION: " in screen
    assert (folder / "runbook" / "RUNBOOK.md").read_text("utf-8").splitlines()[-len(told) :] == told
    assert said(capsys, "export-config", "--policy", str(policy), "--folder", str(folder), "--check")[0] == 0
