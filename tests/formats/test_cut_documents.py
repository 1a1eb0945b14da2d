"""A JSON document on one line that is cut in its last record: the totals without that, and one rejected."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from costctl.errors import InputError
from costctl.formats.documents import holds_whole_record
from tests.formats.test_every_format import JSON_LOGS, Together, different, lines_of, totals_of, write
from tests.support import rows, was_read

pytestmark = pytest.mark.xdist_group("cut documents")  # one reading serves many
Record = dict[str, Any]


def records_of(name: str) -> list[Any]:
    return [json.loads(line) for line in lines_of(name)]


def compact(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"))


def check(tmp_path: Path, whole: Any, without: Any, last: Any) -> None:
    """`whole` cut in the middle of its last record against the document `without` it."""
    text, record = compact(whole), compact(last)
    start = text.rindex(record)
    expected = was_read(tmp_path / "1", write(tmp_path / "whole" / "log.json", compact(without)))
    cut = was_read(tmp_path / "2", write(tmp_path / "cut" / "log.json", text[: start + len(record) // 2]))
    assert totals_of(cut) == totals_of(expected)
    assert expected.totals["accepted_count"]
    assert cut.provenance["formats"] == expected.provenance["formats"]
    assert (cut.totals["rejected_count"], expected.totals["rejected_count"]) == (1, 0)


class Cut:
    """Documents read together, each once cut in the middle of its last record and once without that record."""

    def __init__(self, folder: Path, documents: dict[str, tuple[Any, Any, Any]]) -> None:
        """`documents` has of a sample its whole document, the one without the last record, and that record."""

        def cut(name: str) -> Iterator[tuple[str, str]]:
            if name in documents:
                whole, record = (compact(documents[name][at]) for at in (0, 2))
                yield f"{name}/log.json", whole[: whole.rindex(record) + len(record) // 2]

        def without(name: str) -> Iterator[tuple[str, str]]:
            if name in documents:
                yield f"{name}/log.json", compact(documents[name][1])

        self.found, self.expected = Together(folder / "cut", cut), Together(folder / "whole", without)
        assert set(self.found.read) == set(documents)
        assert totals_of(self.found.report) == totals_of(self.expected.report)

    def check(self, name: str) -> None:
        """Of this document just the last record is lacking."""
        found, expected = self.found.read[name], self.expected.read[name]
        assert not different(self.found.requests[name], self.expected.requests[name])
        assert expected["accepted_count"]
        assert found["formats"] == expected["formats"]
        assert (found["rejected_count"], expected["rejected_count"]) == (1, 0)


IN_LISTS = [name for name in JSON_LOGS if name != "otlp_traces.jsonl"]


@pytest.fixture(scope="module")
def in_lists(tmp_path_factory: pytest.TempPathFactory) -> Cut:
    documents = {}
    for name in IN_LISTS:
        records = records_of(name)
        around = {"object": "list", "data": records}
        documents[name] = around, around | {"data": records[:-1]}, records[-1]
    return Cut(tmp_path_factory.mktemp("lists"), documents)


@pytest.mark.parametrize("name", IN_LISTS)
def test_a_list_of_records_in_an_object(in_lists: Cut, name: str) -> None:
    """As every API answers: `{"object": "list", "data": [...]}`; of OTLP whole spans are kept, see below."""
    in_lists.check(name)


LISTS: dict[str, tuple[str, Callable[[list[Any]], Any]]] = {
    "LangSmith runs": ("langsmith_runs.jsonl", lambda records: {"runs": records, "cursors": {}}),
    "LangSmith batch": ("langsmith_runs.jsonl", lambda records: {"post": records[:3], "patch": records[3:]}),
    "MLflow traces": ("mlflow_traces.jsonl", lambda records: {"traces": records}),
    "Braintrust events": ("braintrust_logs.jsonl", lambda records: {"events": records}),
    "Weave calls": ("weave_calls.jsonl", lambda records: {"calls": records}),
    "Cloudflare logs": ("cloudflare_logs.jsonl", lambda records: {"success": True, "result": records}),
    "Azure records": ("azure_diagnostics.jsonl", lambda records: {"records": records}),
    "Azure REST values": ("azure_apim.jsonl", lambda records: {"value": records}),
    "Elastic hits": ("envoy_access.jsonl", lambda records: {"hits": {"hits": [{"_source": one} for one in records]}}),
    "HAR entries": ("openai_captures.jsonl", lambda records: {"log": {"version": "1.2", "entries": records}}),
    "CloudWatch events": (
        "bedrock_invocations.jsonl",
        lambda records: {"events": [{"timestamp": 1, "message": compact(one)} for one in records]},
    ),
    "Logs Insights": (
        "bedrock_invocations.jsonl",
        lambda records: {"results": [[{"field": "@message", "value": compact(one)}] for one in records]},
    ),
    "Loki values": (
        "kong_requests.jsonl",
        lambda records: {"data": {"result": [{"stream": {}, "values": [["1", compact(one)] for one in records]}]}},
    ),
    "Log Analytics rows": (
        "azure_diagnostics.jsonl",
        lambda records: {
            "tables": [
                {"name": "t", "columns": [{"name": key} for key in columns_of(records)],
                 "rows": [[one.get(key) for key in columns_of(records)] for one in records]}
            ]
        },
    ),
}  # fmt: skip


def columns_of(records: list[Record]) -> list[str]:
    return list(dict.fromkeys(key for one in records for key in one))


def last_of(document: Any) -> Any:
    """The last record of the innermost list of records."""
    for key in ("runs", "patch", "traces", "events", "calls", "result", "records", "value", "hits", "log", "entries",
                "results", "data", "tables", "rows", "values"):  # fmt: skip
        if isinstance(document, dict) and key in document:
            return last_of(document[key])
    return last_of(document[-1]) if isinstance(document, list) and is_of_records(document) else document


def is_of_records(value: Any) -> bool:
    return isinstance(value, list) and isinstance(value[-1], dict) and bool({"rows", "values"} & value[-1].keys())


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Cut]:
    """By shape; two shapes of one sample are never read together, as equal requests would be merged."""
    sets: list[dict[str, str]] = []
    for shape, (name, _) in LISTS.items():
        free = next((one for one in sets if name not in one), None)
        if free is None:
            sets.append(free := {})
        free[name] = shape
    made = {}
    for shapes in sets:
        documents = {}
        for name, shape in shapes.items():
            records, document = records_of(name), LISTS[shape][1]
            found = last_of(document(records))
            last = found[-1] if isinstance(found, list) else found
            documents[name] = document(records), document(records[:-1]), last
        made |= dict.fromkeys(shapes.values(), Cut(tmp_path_factory.mktemp("named"), documents))
    return made


@pytest.mark.parametrize("shape", LISTS)
def test_lists_as_their_tools_name_them(named: dict[str, Cut], shape: str) -> None:
    named[shape].check(LISTS[shape][0])


def test_spans_in_their_scopes(tmp_path: Path) -> None:
    """The last span of the last scope is cut; those before it count, in the same scope as well."""
    exports = records_of("otlp_traces.jsonl")
    resources = [one for export in exports for one in export.get("resourceSpans", [])]
    spans = resources[-1]["scopeSpans"][-1]["spans"]
    whole = compact({"resourceSpans": resources})
    last = spans.pop()
    rest = {"resourceSpans": resources}
    if not spans:
        resources[-1]["scopeSpans"].pop()
    cut = whole[: whole.rindex(compact(last)) + len(compact(last)) // 2]
    expected = was_read(tmp_path / "1", write(tmp_path / "whole" / "log.json", compact(rest)))
    found = was_read(tmp_path / "2", write(tmp_path / "cut" / "log.json", cut))
    assert totals_of(found) == totals_of(expected)
    assert (found.totals["rejected_count"], expected.totals["rejected_count"]) == (1, 0)


def test_messages_of_a_session(tmp_path: Path) -> None:
    """Gemini CLI once wrote a session as one object."""
    head, *rows = records_of("gemini_cli_session.jsonl")
    messages = [row for row in rows if row.get("type") in {"user", "gemini"}]
    session = head | {"messages": messages}
    check(tmp_path, session, session | {"messages": messages[:-1]}, messages[-1])


def test_observations_of_a_trace(tmp_path: Path) -> None:
    """One trace with all its observations, as the UI of Langfuse downloads it."""
    trace = next(one for one in records_of("langfuse_traces.jsonl") if len(one["observations"]) > 1)
    kept = trace["observations"]
    whole = {name: value for name, value in trace.items() if name != "observations"} | {"observations": kept}
    check(tmp_path, whole, whole | {"observations": kept[:-1]}, kept[-1])


def test_buckets_of_a_usage_api(tmp_path: Path) -> None:
    buckets = [one for page in records_of("openai_usage.jsonl") for one in page.get("data", [page])]
    page = {"object": "page", "data": buckets, "has_more": False}
    check(tmp_path, page, page | {"data": buckets[:-1]}, buckets[-1])


def test_a_packed_document(tmp_path: Path) -> None:
    records = records_of("openai_chat.jsonl")
    text = compact({"data": records})[:-40].encode()
    report = was_read(tmp_path, write(tmp_path / "logs" / "log.json.gz", gzip.compress(text)))
    without = was_read(tmp_path, write(tmp_path / "logs" / "log.json", compact({"data": records[:-1]})))
    assert totals_of(report) == totals_of(without)
    assert report.totals["rejected_count"] == 1


@pytest.mark.parametrize(
    "record",
    [
        {"id": "c1", "object": "chat.completion", "model": "gpt-4o", "choices": [{"index": 0}, {"index": 1}]},
        {"sessionId": "s", "model": "gpt-4o", "messages": [{"role": "user"}, {"role": "user"}]},
        {"model": "gpt-4o", "data": [{"index": 0}, {"index": 1}]},
        {"id": "m1", "type": "message", "content": [{"type": "text"}, {"type": "text"}]},
    ],
)
def test_a_part_of_one_record_is_none(tmp_path: Path, record: Record) -> None:
    """A cut record is lost: what stands before the cut is not taken for a request."""
    text = compact(record)[:-5]
    assert not holds_whole_record(text)
    with pytest.raises(InputError, match="the first one ends before its record does") as caught:
        was_read(tmp_path, write(tmp_path / "logs" / "log.json", text))
    assert caught.value.code == "E121"


def calls(count: int) -> list[Record]:
    """Calls of 100 and more tokens each, with messages of the shape in which a damage may lie."""
    return [
        {"id": f"c{number}", "model": "gpt-4o", "created": 1781172000 + number,
         "messages": [{"role": "user", "content": f"question {number}"}, {"role": "user", "content": "more"}],
         "usage": {"prompt_tokens": 100 + number, "completion_tokens": 10, "total_tokens": 110 + number}}
        for number in range(count)
    ]  # fmt: skip


DAMAGES = {
    "a lost comma": ('"model":"gpt-4o","created":1781172002', '"model":"gpt-4o" "created":1781172002'),
    "a lost bracket": ('"content":"question 2"},', '"content":"question 2",'),
    "a lost quote": ('"content":"question 2"', '"content":"question 2'),
    "an end within": ('"question 2"},{"role":"user","content":"more"}],"usage":{"prompt_tokens":102,', '"quest'),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_one_damaged_element_of_a_list_is_one_rejected_record(tmp_path: Path, name: str) -> None:
    """Of six calls the third is damaged: the others have 100 + 101 + 103 + 104 + 105 input tokens."""
    good, bad = DAMAGES[name]
    text = compact(calls(6))
    assert text.count(good) == 1
    read = was_read(tmp_path / "w", write(tmp_path / "log.json", text.replace(good, bad)))
    found = read.totals
    assert (found["records_read_count"], found["accepted_count"], found["rejected_count"]) == (6, 5, 1)
    assert found["input_tokens"] == 513


def test_two_damaged_elements_and_a_cut_end(tmp_path: Path) -> None:
    """The second and fourth of six are damaged and the sixth is cut: 100 + 102 + 104."""
    text = compact(calls(6)).replace('"prompt_tokens":101', '"prompt_tokens":').replace('"prompt_tokens":103', '"":,')
    found = was_read(tmp_path / "w", write(tmp_path / "log.json", text[:-40])).totals
    assert (found["records_read_count"], found["accepted_count"], found["rejected_count"]) == (6, 3, 3)
    assert found["input_tokens"] == 306


def test_a_damaged_element_of_a_list_in_an_object(tmp_path: Path) -> None:
    """The third of six is left out alone; where its brackets do not tell its end, what stands before it is read."""
    whole = compact({"object": "list", "data": calls(6)})
    text = whole.replace('"prompt_tokens":102', '"prompt_tokens":')
    found = was_read(tmp_path / "1", write(tmp_path / "1" / "log.json", text)).totals
    assert (found["records_read_count"], found["accepted_count"], found["rejected_count"]) == (6, 5, 1)
    assert found["input_tokens"] == 513
    text = whole.replace('"content":"question 2"', '"content":"question 2')
    report = was_read(tmp_path / "2", write(tmp_path / "2" / "log.json", text))
    found = report.totals
    assert (found["records_read_count"], found["accepted_count"], found["rejected_count"]) == (3, 2, 1)
    assert found["input_tokens"] == 201
    assert any("was not read" in warning.message for warning in report.warnings)


def test_objects_within_a_damaged_element_are_no_elements(tmp_path: Path) -> None:
    """The last of three breaks off: its own messages are not taken for calls."""
    text = compact(calls(3))
    cut = text[: text.rindex('"usage"')]
    found = was_read(tmp_path / "w", write(tmp_path / "log.json", cut)).totals
    assert (found["records_read_count"], found["accepted_count"], found["rejected_count"]) == (3, 2, 1)


def row(number: int, more: str) -> str:
    return f'{{"request_id": "r{number}", "model": "gpt-4o", "prompt_tokens": 1000, "completion_tokens": 10, {more}}}'


BEYOND = "1" + "0" * 400


def test_integers_beyond_64_bits_are_data(tmp_path: Path) -> None:
    """Unknown where the value is optional, a rejected record where it is a count; one fault for the document."""
    known = row(4, '"latency_ms": 5, "seed": 18446744073709551615')
    lines = [row(1, f'"latency_ms": {BEYOND}'), row(2, f'"max_tokens": 1, "user": {{"id": {BEYOND}}}'),
             row(3, f'"timestamp": {BEYOND}'), known, row(5, '"seed": 1' + "0" * 5000)]  # fmt: skip
    report = was_read(tmp_path, write(tmp_path / "log.json", f"[{', '.join(lines)}]"))
    assert (report.totals["accepted_count"], report.totals["rejected_count"]) == (4, 2)
    assert {reason["reason"].split(":")[0] for reason in rows(report, "rejected")} == {
        "started_at is not a time", "not valid JSON",
    }  # fmt: skip
    assert rows(report, "unread") == [{"column_name": "latency_ms", "value_count": 1}]


def test_half_a_character_and_too_deep_a_record_are_rejected_alone(tmp_path: Path) -> None:
    half = [row(1, '"prompt": "a"'), row(2, r'"prompt": "\ud83d"'), row(3, r'"prompt": "\ud83d\ude00"')]
    report = was_read(tmp_path / "half", write(tmp_path / "half.json", f"[{', '.join(half)}]"))
    assert (report.totals["accepted_count"], report.totals["rejected_count"]) == (2, 1)
    deep = [row(1, '"x": 1'), row(2, f'"x": {"[" * 300}{"]" * 300}')]
    report = was_read(tmp_path / "deep", write(tmp_path / "deep.json", f"[{', '.join(deep)}]"))
    assert [reason["reason"] for reason in rows(report, "rejected")] == ["nested deeper than 64 levels"]
