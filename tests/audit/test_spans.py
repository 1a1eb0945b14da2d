"""Which spans tell of one call, and what is kept of each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from costctl.audit.queries import select
from costctl.report import Report
from tests.support import audited

T0 = 1_795_291_490_000_000_000
MS = 1_000_000
_next = iter(range(1, 10_000))


def span(
    start_ms: int, end_ms: int, *, id: str = "", parent: str = "", trace: str = "a", answer: str | None = None,
    counts: tuple[int, int] | None = (100, 10), scope: str = "framework", model: str = "gpt-4o", **said: Any,
) -> dict[str, Any]:  # fmt: skip
    """An export request with one span of a call."""
    names = {"gen_ai.operation.name": "chat", "gen_ai.request.model": model, "gen_ai.response.id": answer, **said}
    if counts:
        names |= {"gen_ai.usage.input_tokens": counts[0], "gen_ai.usage.output_tokens": counts[1]}
    error = said.get("error.type")
    found = {
        "traceId": trace * 32, "spanId": id or f"{next(_next):016x}", "parentSpanId": parent, "name": "call",
        "startTimeUnixNano": str(T0 + start_ms * MS), "endTimeUnixNano": str(T0 + end_ms * MS),
        "status": {"code": 2 if error else 1},
        "attributes": [{"key": name, "value": {"intValue" if isinstance(one, int) else "stringValue": one}}
                       for name, one in names.items() if one is not None],
    }  # fmt: skip
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {"name": scope}, "spans": [found]}]}]}


def read(tmp_path: Path, *spans: dict[str, Any]) -> Report:
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(map(json.dumps, spans)), "utf-8")
    return audited(tmp_path, path)


def requests(tmp_path: Path, *spans: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Input tokens, status and latency of each call, in order of their start."""
    report = read(tmp_path, *spans)
    assert report.totals["rejected_count"] == 0
    assert report.totals["accepted_count"] + report.totals["merged_count"] == len(spans)
    sql = "SELECT input_tokens, status, latency_ms FROM request ORDER BY started_at, latency_ms"
    return list(select(sql, tmp_path / "workspace" / "costctl.duckdb").tables["rows"].rows)


OUTER, INNER, MIDDLE = "00000000000000aa", "00000000000000bb", "00000000000000cc"


def test_one_answer_told_by_two_producers_is_one_call(tmp_path: Path) -> None:
    found = requests(tmp_path, span(0, 50, answer="m1"), span(5, 45, answer="m1", scope="sdk"))
    assert found == [(100, "ok", 50.0)]


def test_a_gateway_in_another_trace_tells_of_the_same_answer(tmp_path: Path) -> None:
    found = requests(tmp_path, span(0, 50, answer="m1"), span(5, 45, answer="m1", scope="gateway", trace="b"))
    assert found == [(100, "ok", 50.0)]


def test_an_answer_id_that_a_small_server_uses_again_is_another_call(tmp_path: Path) -> None:
    """Another trace, the same producer, or another time: an id alone proves nothing."""
    found = requests(
        tmp_path, span(0, 50, answer="m1"), span(5, 45, answer="m1", trace="b"),
        span(900, 950, answer="m1", trace="c", scope="gateway"),
    )  # fmt: skip
    assert len(found) == 3


def test_what_only_one_of_them_says_is_kept(tmp_path: Path) -> None:
    """The framework knows the user, the SDK the HTTP status and the cached tokens; the earlier start counts."""
    read(
        tmp_path,
        span(0, 50, answer="m1", **{"user.id": "u1"}),
        span(5, 45, answer="m1", scope="sdk",
             **{"http.response.status_code": 200, "gen_ai.usage.cache_read.input_tokens": 40}),
    )  # fmt: skip
    sql = (
        "SELECT user_id, http_status, input_uncached_tokens, cache_read_tokens, input_tokens, is_cache_unknown, "
        "latency_ms, date_part('ms', started_at) FROM request"
    )
    found = select(sql, tmp_path / "workspace" / "costctl.duckdb").tables["rows"].rows
    assert [row[:6] for row in found] == [("u1", 200, 60, 40, 100, False)]
    assert found[0][7] == 50_000.0  # 10:... :50.000, the start of the framework's span


def test_two_files_of_one_call(tmp_path: Path) -> None:
    paths = []
    for name, one in (("app", span(0, 50, answer="m1")), ("gateway", span(5, 45, answer="m1", scope="gateway"))):
        paths.append(tmp_path / f"{name}.jsonl")
        paths[-1].write_text(json.dumps(one), "utf-8")
    total = audited(tmp_path, *paths).totals
    assert (total["request_count"], total["merged_count"]) == (1, 1)
    assert audited(tmp_path, paths[0]).totals["request_count"] == 1


def test_an_inner_span_without_an_answer_id_is_the_call_of_the_outer_one(tmp_path: Path) -> None:
    """The outer one is that of who asked: its time counts."""
    assert requests(tmp_path, span(0, 50, id=OUTER), span(5, 45, parent=OUTER)) == [(100, "ok", 50.0)]


def test_an_outer_span_with_other_counts_is_a_sum(tmp_path: Path) -> None:
    outer = span(0, 90, id=OUTER, counts=(300, 30))
    found = requests(tmp_path, outer, span(5, 45, parent=OUTER), span(50, 80, parent=OUTER, counts=(200, 20)))
    assert [row[0] for row in found] == [100, 200]


def test_a_sum_of_sums_is_dropped_as_well(tmp_path: Path) -> None:
    found = requests(
        tmp_path, span(0, 90, id=OUTER, counts=(900, 9)), span(1, 89, id=MIDDLE, parent=OUTER, counts=(800, 8)),
        span(5, 45, parent=MIDDLE), span(50, 80, parent=MIDDLE, counts=(200, 20)),
    )  # fmt: skip
    assert [row[0] for row in found] == [100, 200]


def test_a_span_of_no_model_may_lie_between_within_one_export_request(tmp_path: Path) -> None:
    """The outer span has other counts: without the way through the tool between, both would count."""
    tool = span(2, 60, id=MIDDLE, parent=OUTER, counts=None, model="", **{"gen_ai.operation.name": "execute_tool"})
    whole = span(0, 90, id=OUTER, counts=(300, 30))
    for other in (tool, span(5, 45, parent=MIDDLE)):
        spans = whole["resourceSpans"][0]["scopeSpans"][0]["spans"]
        spans += other["resourceSpans"][0]["scopeSpans"][0]["spans"]
    total = read(tmp_path, whole).totals
    assert (total["request_count"], total["merged_count"], total["ignored_count"]) == (1, 1, 1)
    assert total["input_tokens"] == 100


def test_an_inner_span_that_counts_nothing_is_the_outer_call(tmp_path: Path) -> None:
    assert requests(tmp_path, span(0, 50, id=OUTER), span(5, 45, parent=OUTER, counts=None)) == [(100, "ok", 50.0)]


def test_a_failed_try_inside_stays_an_attempt(tmp_path: Path) -> None:
    failed = span(5, 15, parent=OUTER, counts=None, **{"error.type": "Timeout"})
    found = requests(tmp_path, span(0, 50, id=OUTER), failed, span(20, 45, parent=OUTER))
    assert [row[:2] for row in found] == [(None, "error"), (100, "ok")]


def test_one_failure_told_twice_is_one(tmp_path: Path) -> None:
    error = {"error.type": "RateLimitError"}
    nested = (
        span(0, 50, id=OUTER, counts=None, **error),
        span(5, 45, id=INNER, parent=OUTER, counts=None, scope="sdk", **error),
    )
    assert [row[1] for row in requests(tmp_path, *nested)] == ["error"]


def test_sibling_spans_of_a_failure_by_two_producers_are_one(tmp_path: Path) -> None:
    error = {"error.type": "RateLimitError"}
    beside = span(0, 50, counts=None, **error), span(5, 45, counts=None, scope="sdk", **error)
    assert [row[1] for row in requests(tmp_path, *beside)] == ["error"]


def test_calls_in_parallel_stay_two_with_and_without_their_twins(tmp_path: Path) -> None:
    """Equal counts at the same time by one producer are two calls; each has its span of the SDK beside it."""
    framework = span(0, 50), span(1, 51)
    assert len(requests(tmp_path, *framework)) == 2
    assert len(requests(tmp_path, *framework, span(2, 48, scope="sdk"), span(3, 49, scope="sdk"))) == 2


def test_two_producers_without_ids_tell_of_one_call(tmp_path: Path) -> None:
    assert requests(tmp_path, span(0, 50), span(5, 45, scope="sdk")) == [(100, "ok", 50.0)]


def test_other_counts_another_time_or_model_are_other_calls(tmp_path: Path) -> None:
    found = requests(
        tmp_path, span(0, 50), span(5, 45, scope="sdk", counts=(101, 10)), span(60, 70, scope="sdk"),
        span(5, 45, scope="sdk", model="gpt-4.1"), span(5, 45, scope="sdk", trace="b"),
    )  # fmt: skip
    assert len(found) == 5


def test_an_answer_of_three_producers_is_one_call(tmp_path: Path) -> None:
    found = requests(
        tmp_path, span(0, 60, answer="m1"), span(5, 55, answer="m1", scope="gateway", trace="b"),
        span(10, 50, answer="m1", scope="sdk", trace="c"),
    )  # fmt: skip
    assert found == [(100, "ok", 60.0)]


def test_a_log_without_spans_is_untouched(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps({"request_id": "r", "model": "gpt-4o", "input_tokens": 1, "output_tokens": 1}), "utf-8")
    mixed = tmp_path / "spans.jsonl"
    mixed.write_text(json.dumps(span(0, 50)), "utf-8")
    assert audited(tmp_path, path, mixed).totals["request_count"] == 2
    assert audited(tmp_path, path).totals["request_count"] == 1
