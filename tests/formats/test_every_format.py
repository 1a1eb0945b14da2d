"""One log of each format, mishandled in the usual ways: the totals stay, or what is lost is counted.

A further format adds the name of its sample log to LOGS.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from costctl.report import Report
from tests.support import ROOT, audited, was_read

FOLDER = ROOT / "sample_logs"
LOGS = (
    "openai_chat.jsonl", "openai_captures.jsonl", "anthropic_messages.jsonl", "claude_code.jsonl",
    "litellm_payloads.jsonl", "litellm_spend.csv", "mooncake_trace.jsonl",
    "otlp_traces.jsonl", "langfuse_traces.jsonl", "langfuse_observations.csv", "langsmith_runs.jsonl",
    "mlflow_traces.jsonl", "weave_calls.jsonl", "braintrust_logs.jsonl",
    "kong_requests.jsonl", "envoy_access.jsonl", "azure_apim.jsonl", "azure_diagnostics.jsonl",
    "helicone_requests.jsonl", "portkey_export.jsonl", "cloudflare_logs.jsonl", "openrouter_generations.jsonl",
    "openrouter_activity.csv", "dynamo_trace.jsonl", "openai_usage.jsonl", "anthropic_console.csv",
    "openrouter_days.jsonl",
    "gemini_answers.jsonl", "vertex_log.jsonl", "openai_batch_output.jsonl", "anthropic_batch_results.jsonl",
    "bedrock_invocations.jsonl", "bedrock_batch_output.jsonl",
    "azure_trace.csv", "burstgpt_trace.csv", "codex_rollout.jsonl",
    "gemini_cli_session.jsonl", "qwen_code_session.jsonl", "opencode_messages.jsonl",
)  # fmt: skip
JSON_LOGS = tuple(name for name in LOGS if name.endswith(".jsonl"))
SAME = (
    "request_count", "error_count", "unknown_usage_count", "input_tokens", "output_tokens", "cache_read_tokens",
    "cache_write_tokens", "reasoning_tokens", "list_cost_usd", "first_at", "last_at", "call_count",
)  # fmt: skip


def lines_of(name: str) -> list[str]:
    """The whole lines of a sample; one sample has a broken line on purpose."""
    lines = (FOLDER / name).read_text("utf-8").splitlines()
    return lines if name.endswith(".csv") else [line for line in lines if line.endswith("}")]


@cache
def clean(name: str) -> Report:
    """The audit of a sample as it is."""
    with TemporaryDirectory() as folder:
        return audited(Path(folder), write(Path(folder) / "clean" / name, text_of(lines_of(name))))


def header_of(name: str) -> list[str]:
    return lines_of(name)[:1] if name.endswith(".csv") else []


def body_of(name: str) -> list[str]:
    return lines_of(name)[len(header_of(name)) :]


def text_of(lines: list[str], end: str = "\n") -> str:
    return end.join(lines) + end


def totals_of(report: Report) -> dict[str, Any]:
    return {name: report.totals.get(name) for name in SAME}


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def shuffled(name: str) -> str:
    lines = body_of(name)
    random.Random(5).shuffle(lines)
    return text_of([*header_of(name), *lines])


def spaced(name: str) -> list[str]:
    """With blanks around each colon and comma of its JSON."""
    if name not in JSON_LOGS:
        return lines_of(name)
    return [json.dumps(json.loads(line), separators=(" , ", " : ")) for line in lines_of(name)]


# Those of the bytes come together, as files of other machines have them; `test_shapes` has each alone.
MUTATIONS: dict[str, Callable[[str], str | bytes]] = {
    "bom, crlf, no last newline": lambda name: "\ufeff" + text_of(lines_of(name), "\r\n").rstrip(),
    "spaces, gz": lambda name: gzip.compress(text_of(spaced(name)).encode()),
    "shuffled": shuffled,
}


@pytest.mark.parametrize("mutation", MUTATIONS)
@pytest.mark.parametrize("name", LOGS)
def test_the_same_totals_however_it_is_written(tmp_path: Path, name: str, mutation: str) -> None:
    check(tmp_path, name, MUTATIONS[mutation](name), packed="gz" in mutation)


@pytest.mark.parametrize("name", JSON_LOGS)
def test_the_same_totals_as_one_array(tmp_path: Path, name: str) -> None:
    check(tmp_path, name, json.dumps([json.loads(line) for line in lines_of(name)], indent=1))


def check(tmp_path: Path, name: str, content: str | bytes, *, packed: bool = False) -> None:
    expected = clean(name)
    log = write(tmp_path / "logs" / (f"{name}.gz" if packed else name), content)
    report = was_read(tmp_path, log)
    assert totals_of(report) == totals_of(expected)
    assert report.provenance["formats"] == expected.provenance["formats"]
    for count in ("accepted_count", "merged_count", "ignored_count", "rejected_count", "records_read_count"):
        assert report.totals[count] == expected.totals[count], count


@pytest.mark.parametrize("name", LOGS)
def test_a_clean_sample_has_no_rejected_record_and_is_the_same_read_again(tmp_path: Path, name: str) -> None:
    log = write(tmp_path / "logs" / name, text_of(lines_of(name)))
    once, again = was_read(tmp_path, log), was_read(tmp_path, log)
    assert once.totals == again.totals == clean(name).totals
    assert once.totals["rejected_count"] == 0


@pytest.mark.parametrize("name", LOGS)
def test_two_copies_are_one_log(tmp_path: Path, name: str) -> None:
    one, two = (write(tmp_path / "logs" / f"{n}-{name}", text_of(lines_of(name))) for n in (1, 2))
    assert totals_of(was_read(tmp_path, one, two)) == totals_of(clean(name))


@pytest.mark.parametrize("name", LOGS)
def test_two_overlapping_halves_are_one_log(tmp_path: Path, name: str) -> None:
    lines, header = body_of(name), header_of(name)
    upto, start = len(lines) * 6 // 10, len(lines) * 4 // 10
    one = write(tmp_path / "logs" / f"1-{name}", text_of([*header, *lines[:upto]]))
    two = write(tmp_path / "logs" / f"2-{name}", text_of([*header, *lines[start:]]))
    assert totals_of(was_read(tmp_path, one, two)) == totals_of(clean(name))


@pytest.mark.parametrize("name", LOGS)
def test_a_log_cut_in_its_last_record_lacks_just_that(tmp_path: Path, name: str) -> None:
    *whole, last = lines_of(name)
    without = was_read(tmp_path, write(tmp_path / "logs" / f"whole-{name}", text_of(whole)))
    cut = was_read(tmp_path, write(tmp_path / "logs" / f"cut-{name}", text_of(whole) + last[: len(last) // 2]))
    assert totals_of(cut) == totals_of(without)
    assert (cut.totals["rejected_count"], without.totals["rejected_count"]) == (1, 0)


@pytest.mark.parametrize("name", JSON_LOGS)
def test_a_cut_document_keeps_its_whole_elements(tmp_path: Path, name: str) -> None:
    records = [json.loads(line) for line in lines_of(name)]
    without = was_read(tmp_path, write(tmp_path / "logs" / f"whole-{name}", json.dumps(records[:-1])))
    cut = was_read(tmp_path, write(tmp_path / "logs" / "cut.json", json.dumps(records)[:-9]))
    assert totals_of(cut) == totals_of(without)
    assert cut.totals["rejected_count"] == 1
