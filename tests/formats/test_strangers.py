"""Requests of a second format in one file: refused under their format's name, and told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costctl.formats.base import UNREADABLE, Ignored
from costctl.formats.captures import is_failure
from costctl.formats.detect import claims, format_named, recognise, sample_of
from costctl.formats.registry import FORMATS
from costctl.formats.sources import Source
from costctl.formats.strangers import KEYS, Strangers, stranger_of
from costctl.report import Report
from tests.support import ROOT, SHARED, audited, rows

FOLDER = ROOT / "sample_logs"
SAMPLES = {
    "kong": "kong_requests.jsonl", "envoy_ai_gateway": "envoy_access.jsonl", "openai": "openai_chat.jsonl",
    "otlp": "otlp_traces.jsonl", "langsmith": "langsmith_runs.jsonl", "claude_code": "claude_code.jsonl",
    "openrouter_generation": "openrouter_generations.jsonl", "litellm_payload": "litellm_payloads.jsonl",
    "azure_diagnostics": "azure_diagnostics.jsonl", "azure_apim": "azure_apim.jsonl",
    "qwen_code": "qwen_code_session.jsonl", "gemini_cli": "gemini_cli_session.jsonl",
    "cloudflare": "cloudflare_logs.jsonl", "codex_cli": "codex_rollout.jsonl", "capture": "openai_captures.jsonl",
}  # fmt: skip
PAIRS = (
    ("kong", "openai"), ("envoy_ai_gateway", "openai"), ("openai", "kong"), ("otlp", "openai"), ("otlp", "capture"),
    ("langsmith", "openrouter_generation"), ("openrouter_generation", "langsmith"),
    ("claude_code", "litellm_payload"), ("litellm_payload", "claude_code"), ("codex_cli", "openai"),
    ("azure_diagnostics", "azure_apim"), ("azure_apim", "azure_diagnostics"),
    ("claude_code", "qwen_code"), ("qwen_code", "claude_code"), ("gemini_cli", "claude_code"),
    ("cloudflare", "openai"),
)  # fmt: skip
SAME = ("accepted_count", "merged_count", "ignored_count", "request_count", "input_tokens", "output_tokens",
        "list_cost_usd")  # fmt: skip


def lines_of(name: str) -> list[str]:
    return [line for line in (FOLDER / SAMPLES[name]).read_text("utf-8").splitlines() if line.endswith("}")]


def requests_of(name: str) -> list[str]:
    """Three lines that their format takes for requests."""
    return [line for line in lines_of(name) if claims(format_named(name), json.loads(line))][:3]


def written(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return path


def told(report: Report) -> list[str]:
    return [warning.message for warning in report.warnings if warning.code == "W111"]


@pytest.mark.parametrize(("own", "other"), PAIRS)
def test_requests_of_another_format_are_refused_under_its_name(tmp_path: Path, own: str, other: str) -> None:
    """A file of one format with three requests of another behind it: the totals of the first, and three refused."""
    before = lines_of(own)
    mixed = audited(tmp_path / "mixed", written(tmp_path / "mixed.jsonl", [*before, *requests_of(other)]))
    alone = audited(tmp_path / "alone", written(tmp_path / "alone.jsonl", before))
    assert mixed.provenance["formats"] == alone.provenance["formats"]
    assert [mixed.totals[name] for name in SAME] == [alone.totals[name] for name in SAME]
    assert [(row["reason"], row["record_count"], row["source_line"]) for row in rows(mixed, "rejected")] == [
        (f"a request of another format: {other}", 3, len(before) + 1)
    ]
    assert told(mixed) == [
        "3 records are requests of another format than the rest of the file and left out: "
        f"{other}, the first at mixed.jsonl:{len(before) + 1}"
    ]
    assert not [warning for warning in mixed.warnings if warning.code == "W110"]


def test_the_warning_says_how_they_are_read(tmp_path: Path) -> None:
    """What the hint names reads the requests of the second format, and then tells of those of the first."""
    log = written(tmp_path / "two.jsonl", [*lines_of("claude_code"), *requests_of("litellm_payload")])
    (hint,) = (warning.hint for warning in audited(tmp_path, log).warnings if warning.code == "W111")
    assert hint == f"read them: costctl audit {log} --log-format litellm_payload; or split the file by format"
    report = audited(tmp_path, log, log_format="litellm_payload")
    assert report.totals["accepted_count"] == 3
    assert "claude_code, the first at two.jsonl:" in told(report)[0]


def test_a_line_that_is_broken_is_told_apart_from_one_of_another_format(tmp_path: Path) -> None:
    log = written(tmp_path / "log.jsonl", [*lines_of("kong"), requests_of("openai")[0], '{"id": '])
    report = audited(tmp_path, log)
    codes = {warning.code: warning.message for warning in report.warnings}
    assert codes["W110"].startswith("1 record was not understood, the first at log.jsonl:")
    assert codes["W111"].startswith("1 record is a request of another format than the rest of the file and left out: ")
    assert report.totals["rejected_count"] == 2


def test_a_document_may_hold_two_formats_as_well(tmp_path: Path) -> None:
    records = [json.loads(line) for line in [*lines_of("kong"), *requests_of("openai")]]
    log = tmp_path / "log.json"
    log.write_text(json.dumps(records), "utf-8")
    report = audited(tmp_path, log)
    assert report.totals["rejected_count"] == 3
    assert told(report)[0].endswith(f"left out: openai, the first at log.json:{len(records) - 2}")


def test_the_body_of_a_failure_is_of_no_format(tmp_path: Path) -> None:
    """Any API answers so; what knows no request in it ignores it as before."""
    failure = json.dumps({"error": {"code": 404, "message": "no such generation"}})
    log = written(tmp_path / "log.jsonl", [*lines_of("openrouter_generation"), failure])
    assert (told(audited(tmp_path, log)), audited(tmp_path, log).totals["rejected_count"]) == ([], 0)


def test_bare_bodies_among_captures_are_read(tmp_path: Path) -> None:
    """Formats that one function reads are no strangers to each other."""
    log = written(tmp_path / "log.jsonl", [*lines_of("openai"), *requests_of("capture")])
    assert audited(tmp_path, log).totals["rejected_count"] == 0


def test_what_counts_nothing_and_is_of_no_other_format_stays_ignored(tmp_path: Path) -> None:
    log = written(tmp_path / "log.jsonl", [*lines_of("kong"), '{"message": "started", "data": {"attributes": {}}}'])
    report = audited(tmp_path, log)
    alone = audited(tmp_path, FOLDER / SAMPLES["kong"])
    assert report.totals["ignored_count"] == alone.totals["ignored_count"] + 1


SAMPLE_FILES = [
    path
    for folder in (FOLDER, SHARED / "log_samples")
    for path in sorted(folder.rglob("*"))
    if path.suffix in {".jsonl", ".json", ".csv", ".sse"} and not path.name.startswith(("expected", "own_names"))
]


@pytest.mark.parametrize("path", SAMPLE_FILES, ids=lambda path: path.name)
def test_no_clean_sample_has_a_stranger(path: Path) -> None:
    source = Source(path, path.name, True)
    log_format = recognise(source)
    strangers = Strangers(log_format)
    for record in sample_of(source) if log_format.unwrap else []:
        try:
            outcome: Any = log_format.unwrap(record)  # type: ignore[misc]
        except UNREADABLE:
            outcome = Ignored("unreadable")
        assert strangers.judged(record, outcome) is outcome


def test_every_format_has_keys_of_which_each_request_has_one() -> None:
    """A format whose keys are wrong would never be found as a second one."""
    assert {item.name for item in FORMATS} - KEYS.keys() == {"generic"}  # its usual names are in records of any kind
    found = set()
    for path in SAMPLE_FILES:
        records = sample_of(Source(path, path.name, True))
        for item in (one for one in FORMATS if one.name in KEYS):
            for record in records:
                if claims(item, record) and not is_failure(record):
                    found.add(item.name)
                    assert not record.keys().isdisjoint(KEYS[item.name]), (item.name, path.name)
    assert KEYS.keys() - found <= {"anthropic_costs", "anthropic_report", "anthropic"}  # their tests have samples


def test_a_reason_names_the_format() -> None:
    assert [stranger_of(reason) for reason in ("a request of another format: kong", "not valid JSON")] == ["kong", None]
