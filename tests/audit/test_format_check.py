"""`costctl formats check`: what a file is, why, what it carries, and what is missing for which command."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from costctl.audit.carried import FACTS, FEATURES
from costctl.audit.format_check import check_files
from costctl.audit.options import AuditOptions
from costctl.audit.queries import known_formats
from costctl.cli import run
from costctl.report import Report
from tests.formats.test_every_format import LOGS
from tests.support import ROOT, audited, rows

SAMPLES = ROOT / "sample_logs"


def check(*paths: Path, **options: Any) -> Report:
    return check_files([str(path) for path in paths], AuditOptions(threads=1, **options))


def works(report: Report) -> dict[tuple[str, str], str]:
    return {(row["command"], row["feature"]): row["works"] for row in rows(report, "features")}


def test_every_feature_needs_facts_that_there_are() -> None:
    names = {fact.name for fact in FACTS}
    assert all(set(feature.needs) <= names for feature in FEATURES)


@pytest.mark.parametrize(
    ("name", "log_format", "needed"),
    [
        ("openai_chat.jsonl", "openai", "object = chat.completion"),
        ("claude_code.jsonl", "claude_code", "sessionId, message"),
        ("langfuse_traces.jsonl", "langfuse", "observations"),
        ("mooncake_trace.jsonl", "mooncake", "input_length, output_length, hash_ids"),
        ("azure_trace.csv", "azure_trace", "ContextTokens"),
    ],
)
def test_why_a_file_was_recognised(name: str, log_format: str, needed: str) -> None:
    (said,) = rows(check(SAMPLES / name), "signatures")
    assert said["log_format"] == log_format
    assert needed in said["signature"]
    assert 0 < said["matching_count"] <= said["sampled_count"]


def test_the_counts_are_those_of_the_audit(tmp_path: Path) -> None:
    for name in ("claude_code.jsonl", "story.jsonl.gz", "otlp_traces.jsonl", "litellm_spend.csv"):
        found, expected = check(SAMPLES / name).totals, audited(tmp_path, SAMPLES / name).totals
        for count in ("records_read_count", "accepted_count", "merged_count", "ignored_count", "rejected_count"):
            assert found[count] == expected[count], (name, count)


def test_what_is_measured_is_the_file_and_not_its_format(tmp_path: Path) -> None:
    row = {"request_id": "a", "ts": "2026-03-01T10:00:00Z", "model": "gpt-4o", "input_tokens": 9, "output_tokens": 1}
    path = tmp_path / "log.jsonl"
    lines = [row, row | {"request_id": "b", "latency_ms": 100, "user": "u"}]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    report = check(path)
    shares = {item["fact"]: item["share_ratio"] for item in rows(report, "carries")}
    assert (shares["model"], shares["latency"], shares["user"], shares["prompt"]) == (1.0, 0.5, 0.5, 0.0)
    found = works(report)
    assert found["audit", "spend by model"] == "yes"
    assert found["audit", "latency"] == "partly"
    assert found["simulate", "exact cache"] == "no"
    (missing,) = [item["missing"] for item in rows(report, "features") if item["feature"] == "exact cache"]
    assert missing == "prompt (messages or prompt_sha256)"


def test_sums_are_good_for_audit_and_not_for_the_replay(tmp_path: Path) -> None:
    result = {"object": "organization.usage.completions.result", "input_tokens": 10, "output_tokens": 1,
              "num_model_requests": 2, "model": "gpt-4o", "input_cached_tokens": 0}  # fmt: skip
    bucket = {"object": "bucket", "start_time": 1_781_136_000, "end_time": 1_781_222_400, "results": [result]}
    path = tmp_path / "page.json"
    path.write_text(json.dumps({"object": "page", "data": [bucket]}), "utf-8")
    found = works(check(path))
    assert found["audit", "spend by model"] == found["reconcile", "by day and model"] == "yes"
    assert {found[key] for key in found if key[0] == "simulate"} == {"no"}


# What the samples of these formats leave out, though the format can carry it.
NOT_IN_SAMPLE = {
    "openai_usage": {"logged cost"}, "mlflow": {"logged cost"}, "langsmith": {"logged cost"},
    "braintrust": {"logged cost"}, "opencode": {"logged cost"}, "kong": {"logged cost"},
    "openai_batch": {"exact repeats", "near repeats", "tiers", "exact cache", "semantic cache", "missed prompt caching",
                     "prompt caches"},
    "anthropic_batch": {"tiers"}, "capture": {"sessions"},
    "cloudflare": {"exact repeats", "near repeats", "tiers", "exact cache", "semantic cache"},
}  # fmt: skip


@pytest.mark.parametrize("name", LOGS)
def test_what_can_be_computed_of_a_format_is_so_of_its_sample(name: str) -> None:
    """`costctl formats` promises just what `formats check` finds; simulation needs model, tokens and order for all."""
    short = {(feature.command, feature.name): feature.short for feature in FEATURES if feature.short}
    report = check(SAMPLES / name)
    checked = works(report)
    (log_format,) = {row["log_format"] for row in rows(report, "features")}
    promised = {
        (row["command"], row["feature"])
        for row in rows(known_formats(), "features") if row["format"] == log_format and row["works"] == "yes"
    }  # fmt: skip
    replays = checked["simulate", "replay in order"] != "no"
    found = {key for key in short if checked.get(key, "no") != "no" and (key[0] != "simulate" or replays)}
    assert found <= promised
    assert {short[key] for key in promised - found} <= NOT_IN_SAMPLE.get(log_format, set())


def test_the_screen_of_the_formats(capsys: Any) -> None:
    assert run(["formats"]) == 0
    screen = capsys.readouterr().out
    assert max(map(len, screen.splitlines())) <= 80
    azure = screen.partition("\nazure_diagnostics: ")[2].partition("\n\n")[0].splitlines()
    assert azure[2:] == ["  carries    time, latency", "  audit      latency"]
    console = screen.partition("\nanthropic_console: ")[2].partition("\n\n")[0]
    assert "reconcile  by day and model, as the invoice" in console
    assert "simulate" not in console


def test_a_profile_is_known_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """It was an unknown format; texts that it does not hold cannot be compared again."""
    monkeypatch.chdir(tmp_path)
    assert run(["profile", str(SAMPLES / "langfuse_traces.jsonl"), "-o", "p.parquet"]) == 0
    assert run(["formats", "check", "p.parquet"]) == 0
    assert "recognised by  costctl.profile in the metadata of the file" in capsys.readouterr().out
    found = works(check(Path("p.parquet")))
    assert found["simulate", "exact cache"] in {"yes", "partly"}
    assert found["audit", "near repeats"] == "no"


def test_a_folder_by_file_and_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "logs"
    folder.mkdir()
    for name in ("openai_chat.jsonl", "claude_code.jsonl"):
        (folder / name).write_bytes((SAMPLES / name).read_bytes())
    (folder / "notes.txt").write_text("nothing here\n", "utf-8")
    packed = bytearray(gzip.compress(b'{"model":"gpt-4o","input_tokens":1,"output_tokens":1}\n'))
    packed[-8] ^= 1
    (folder / "bad.jsonl.gz").write_bytes(packed)
    assert run(["formats", "check", "logs"]) == 0
    screen = capsys.readouterr().out
    assert max(map(len, screen.splitlines())) <= 80
    for part in ("openai:", "claude_code:", "recognised by", "ignored  6 x user", "bad.jsonl.gz is damaged"):
        assert part in screen
    assert run(["formats", "check", "logs", "--output", "json"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert {row["log_format"] for row in body["tables"]["files"]} == {"openai", "claude_code"}
    assert {row["code"] for row in body["tables"]["left_out"]} == {"E112", "E121"}
    assert not list(tmp_path.glob(".costctl*")), "a check keeps nothing"


def test_an_unknown_shape_is_told_and_ends_with_the_code_of_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("log.jsonl").write_text('{"level":"info","msg":"secret-4711"}\n', "utf-8")
    assert run(["formats", "check", "log.jsonl"]) == 3
    assert "4711" not in capsys.readouterr().out
    assert run(["formats", "check", "log.jsonl", "--mapping"]) == 2
    assert "E132" in capsys.readouterr().err


def test_usual_names_without_a_count_get_the_rest_proposed(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"model":"gpt-4o","status":"ok","tok_entrada":10,"tok_salida":2}\n' * 3, "utf-8")
    found = {row["field"]: row["path"] for row in rows(check(path), "mapping")}
    assert found == {"input_tokens": "tok_entrada", "output_tokens": "tok_salida"}


def test_a_mapping_of_ones_own_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"m":"gpt-4o","i":10,"o":2}\n', "utf-8")
    report = check(path, mapping=("request_model=m", "input_tokens=i", "output_tokens=o"))
    assert works(report)["audit", "spend by model"] == "yes"
    assert rows(report, "signatures")[0]["title"] == "your mapping"


def test_totals_that_contradict_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    row = {"model": "gpt-4o", "input_tokens": 10, "output_tokens": 2, "reasoning_tokens": 1}
    path.write_text("".join(f"{json.dumps(row | {'total_tokens': total})}\n" for total in (12, 12, 14)), "utf-8")
    (found,) = rows(check(path), "totals_checked")
    assert (found["checked_count"], found["fault_count"]) == (3, 1)


def test_nothing_of_the_log_reaches_the_terminal_unescaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    nasty = {"modelo\x1b[2J": "gpt-4o", "tokens entrada\u202e": 5, "tokens salida\n::error::": 2}
    Path("log.jsonl").write_text(f"{json.dumps(nasty)}\n", "utf-8")
    assert run(["formats", "check", "log.jsonl"]) == 3
    out = capsys.readouterr().out
    assert "PROPOSED MAPPING" in out
    assert all(line.isprintable() for line in out.splitlines())


def test_columns_that_nothing_is_read_from_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever its spelling, a usual name is read with all that it holds; an intent of the log's own never is."""
    row = {
        "id": "a", "Timestamp": "2026-03-01T10:00:00Z", "model": "gpt-4o", "usage": {"input_tokens": 9, "odd": 1},
        "messages": [{"role": "user", "content": "hi"}], "intent": "faq", "mood": "good", "sent": {"by.hand": 1},
    }  # fmt: skip
    log = tmp_path / "log.jsonl"
    log.write_text(json.dumps(row), "utf-8")
    told = [(one["path"], one["note"]) for one in rows(check(log), "unread_columns")]
    assert told == [
        ("usage.odd", ""), ("intent", "worked out from the text of the prompts"), ("mood", ""), (r"sent.by\.hand", ""),
    ]  # fmt: skip
    assert [one["path"] for one in rows(check(log, mapping=("team=mood",)), "unread_columns")][1:] == [
        "intent", r"sent.by\.hand",
    ]  # fmt: skip
    assert run(["formats", "check", str(log)]) == 0
    screen = capsys.readouterr().out
    assert "  not read     usage.odd, intent, mood, sent.by" in screen
    assert "  intent is worked out from the text of the prompts, a log's own is never read\n" in screen
