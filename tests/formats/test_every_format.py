"""One log of each format, mishandled in the usual ways: the totals stay, or what is lost is counted.

A further format adds the name of its sample log to LOGS.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from costctl.report import Report
from costctl.store import Store, open_store
from tests.support import ROOT, was_read

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


def header_of(name: str) -> list[str]:
    return lines_of(name)[:1] if name.endswith(".csv") else []


def body_of(name: str) -> list[str]:
    return lines_of(name)[len(header_of(name)) :]


def text_of(lines: list[str], end: str = "\n") -> str:
    return end.join(lines) + end


def totals_of(report: Report) -> dict[str, Any]:
    return {name: report.totals.get(name) for name in SAME}


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
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


# Of each log its requests, as `SAME` has them of all. Logs come under the same name, in whatever folder and packing.
EACH = """
SELECT regexp_extract(label, '[a-z_]+[.](jsonl|csv)') AS log, list(DISTINCT format_name) AS formats,
    CAST(sum(records_read) AS BIGINT) AS records_read_count, CAST(sum(accepted) AS BIGINT) AS accepted_count,
    CAST(sum((SELECT coalesce(sum(record_count), 0) FROM ignored_record i WHERE i.file_id = s.file_id)) AS BIGINT)
        AS ignored_count,
    CAST(sum((SELECT count(*) FROM rejected_record e WHERE e.file_id = s.file_id)) AS BIGINT) AS rejected_count
FROM source_file s GROUP BY log ORDER BY log
"""
REQUESTS = """
SELECT regexp_extract(label, '[a-z_]+[.](jsonl|csv)') AS log, count(*) AS row_count,
    count(*) FILTER (status = 'error') AS error_count,
    count(*) FILTER (usage_source = 'missing') AS unknown_usage_count,
    CAST(sum(input_tokens) AS BIGINT) AS input_tokens, CAST(sum(output_tokens) AS BIGINT) AS output_tokens,
    CAST(sum(cache_read_tokens) AS BIGINT) AS cache_read_tokens,
    CAST(sum(coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_1h_tokens, 0)
        + coalesce(cache_write_other_tokens, 0)) AS BIGINT) AS cache_write_tokens,
    CAST(sum(reasoning_tokens) AS BIGINT) AS reasoning_tokens, sum(list_cost_usd) AS list_cost_usd,
    min(started_at) AS first_at, max(started_at) AS last_at
FROM (FROM request UNION ALL BY NAME FROM usage_aggregate) JOIN source_file USING (file_id) GROUP BY log ORDER BY log
"""
SUMS = " UNION ALL BY NAME FROM usage_aggregate"  # where any log holds sums over requests
COUNTED = ("records_read_count", "accepted_count", "ignored_count", "rejected_count")


class Together:
    """All logs read in one audit, in a workspace of their own; what was read of each, and what its requests are."""

    def __init__(self, folder: Path, written: Callable[[str], Iterable[tuple[str, str | bytes]]]) -> None:
        for name in LOGS:
            for path, content in written(name):
                write(folder / "logs" / path, content)
        self.report = was_read(folder, folder / "logs")
        with open_store(folder / "workspace" / "costctl.duckdb", read_only=True) as store:
            sums = store.holds("usage_aggregate")
            requests = REQUESTS if sums else REQUESTS.replace(SUMS, "")
            self.read, self.requests = (_by_log(store, sql) for sql in (EACH, requests))


def _by_log(store: Store, sql: str) -> dict[str, dict[str, Any]]:
    names, rows = store.table(sql)
    return {row[0]: dict(zip(names[1:], row[1:], strict=True)) for row in rows}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Together:
    """The samples as they are."""
    return Together(tmp_path_factory.mktemp("clean"), lambda name: [(name, text_of(lines_of(name)))])


def different(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What two have otherwise, by its name."""
    return {
        name: (one.get(name), other.get(name)) for name in one.keys() | other.keys() if one.get(name) != other.get(name)
    }


def test_the_totals_of_all_logs_are_those_of_each(tmp_path: Path, clean: Together) -> None:
    """So that logs may be judged beside each other: no format takes records of another, and none is lost."""
    assert set(clean.read) == set(LOGS)
    for name in LOGS:
        alone = dict(was_read(tmp_path / name, write(tmp_path / name / "logs" / name, text_of(lines_of(name)))).totals)
        alone["accepted_count"] += alone["merged_count"]  # a file's own count is of what was accepted before merging
        assert {key: clean.read[name][key] for key in COUNTED} == {key: alone[key] for key in COUNTED}, name
        mine = clean.requests[name]
        assert alone["request_count"] + alone.get("aggregate_row_count", 0) == mine["row_count"], name
        assert alone["list_cost_usd"] == (mine["list_cost_usd"] or 0), name  # the sum of what has a price


def test_a_clean_sample_has_no_rejected_record(clean: Together) -> None:
    assert {name: each["rejected_count"] for name, each in clean.read.items()} == dict.fromkeys(LOGS, 0)


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_the_same_totals_however_it_is_written(tmp_path: Path, clean: Together, mutation: str) -> None:
    end = ".gz" if "gz" in mutation else ""
    found = Together(tmp_path, lambda name: [(f"{name}{end}", MUTATIONS[mutation](name))])
    check(found, clean)


def test_the_same_totals_as_one_array(tmp_path: Path, clean: Together) -> None:
    check(Together(tmp_path, lambda name: [(name, one_array(name))]), clean)


def one_array(name: str) -> str:
    """The records as one indented list; a table stays as it is."""
    lines = lines_of(name)
    return json.dumps([json.loads(line) for line in lines], indent=1) if name in JSON_LOGS else text_of(lines)


def check(found: Together, clean: Together) -> None:
    assert not different(found.read, clean.read)
    assert not different(found.requests, clean.requests)
    assert totals_of(found.report) == totals_of(clean.report)
    assert found.report.totals["merged_count"] == clean.report.totals["merged_count"]


def test_a_sample_read_again_is_the_same(tmp_path: Path, clean: Together) -> None:
    once = Together(tmp_path, lambda name: [(name, text_of(lines_of(name)))])
    again = Together(tmp_path, lambda name: [(name, text_of(lines_of(name)))])
    assert once.report.totals == again.report.totals == clean.report.totals
    check(again, clean)


def test_two_copies_are_one_log(tmp_path: Path, clean: Together) -> None:
    found = Together(tmp_path, lambda name: [(f"{n}/{name}", text_of(lines_of(name))) for n in (1, 2)])
    assert not different(found.requests, clean.requests)
    assert totals_of(found.report) == totals_of(clean.report)


def test_two_overlapping_halves_are_one_log(tmp_path: Path, clean: Together) -> None:
    def halves(name: str) -> list[tuple[str, str]]:
        lines, header = body_of(name), header_of(name)
        upto, start = len(lines) * 6 // 10, len(lines) * 4 // 10
        return [(f"1/{name}", text_of([*header, *lines[:upto]])), (f"2/{name}", text_of([*header, *lines[start:]]))]

    found = Together(tmp_path, halves)
    assert not different(found.requests, clean.requests)
    assert totals_of(found.report) == totals_of(clean.report)


def test_a_log_cut_in_its_last_record_lacks_just_that(tmp_path: Path) -> None:
    def cut(name: str) -> str:
        *whole, last = lines_of(name)
        return text_of(whole) + last[: len(last) // 2]

    without = Together(tmp_path / "whole", lambda name: [(name, text_of(lines_of(name)[:-1]))])
    found = Together(tmp_path / "cut", lambda name: [(name, cut(name))])
    lacks_just_that(found, without, LOGS)


def test_a_cut_document_keeps_its_whole_elements(tmp_path: Path) -> None:
    def written(name: str, *, is_cut: bool) -> Iterator[tuple[str, str]]:
        if name in JSON_LOGS:
            records = [json.loads(line) for line in lines_of(name)]
            yield name, json.dumps(records)[:-9] if is_cut else json.dumps(records[:-1])

    without = Together(tmp_path / "whole", lambda name: written(name, is_cut=False))
    found = Together(tmp_path / "cut", lambda name: written(name, is_cut=True))
    lacks_just_that(found, without, JSON_LOGS)


def lacks_just_that(found: Together, without: Together, names: tuple[str, ...]) -> None:
    """The requests are those of the log without its last record, which is rejected."""
    assert not different(found.requests, without.requests)
    assert totals_of(found.report) == totals_of(without.report)
    for logs, count in ((found, 1), (without, 0)):
        assert {name: each["rejected_count"] for name, each in logs.read.items()} == dict.fromkeys(names, count)
