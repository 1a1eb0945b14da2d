"""Langfuse: traces with their observations as JSON, and rows of a blob export as CSV."""

from __future__ import annotations

import csv
import json
from datetime import datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from random import Random

from costctl.samples.expected import Counts
from costctl.samples.jsonl import Record, dumps, iso, write_lines
from costctl.samples.traced import SYSTEM, Call, calls, count_call, hexes

COLUMNS = (
    "id", "trace_id", "type", "parent_observation_id", "name", "start_time", "end_time", "completion_start_time",
    "level", "status_message", "provided_model_name", "model_parameters", "usage_details", "cost_details", "input",
    "output", "latency", "time_to_first_token", "user_id", "session_id", "tags", "trace_name",
)  # fmt: skip


def write_traces(path: Path, rng: Random) -> Counts:
    """One trace a line: an agent around its generations, an outer generation that repeats the inner ones."""
    counts = Counts()
    traces: list[Record] = []
    for call in calls(rng):
        if call.number % 2 == 0:
            trace = {"id": call.trace_id, "name": "ask-the-shop", "timestamp": iso(call.started_at), "tags": ["web"],
                     "userId": call.user, "sessionId": call.session}  # fmt: skip
            agent = _observation(call, hexes(rng, 16), "AGENT", None)
            agent["usageDetails"] = {"input": 44, "output": 180, "total": 224}
            traces.append({"trace": trace, "observations": [agent]})
            counts.other(ignored=1)
        inner = _generation(call, hexes(rng, 16), str(agent["id"]))
        if call.number % 6 == 0:  # the framework's own generation around that of the provider's SDK
            outer = _generation(call, hexes(rng, 16), str(agent["id"]))
            outer["usageDetails"] = {"input": 14, "output": 43, "total": 57}
            span = _observation(call, hexes(rng, 16), "SPAN", str(outer["id"]))
            inner["parentObservationId"] = span["id"]
            traces[-1]["observations"] += [outer, span]
            counts.other(merged=1, ignored=1)
        traces[-1]["observations"].append(inner)
        count_call(counts, call)
    write_lines(path, traces)
    return counts


def write_export(path: Path, rng: Random) -> Counts:
    """Rows of the blob export in CSV: names in snake case, maps as JSON text, times without a zone."""
    counts = Counts()
    rows: list[list[object]] = []
    for call in calls(rng):
        row = _generation(call, hexes(rng, 16), None)
        rows.append(_row(call, row))
        count_call(counts, call)
        if call.number % 4 == 0:
            rows.append(_row(call, _observation(call, hexes(rng, 16), "TOOL", str(row["id"]))))
            counts.other(ignored=1)
    rows.append(rows[0])
    counts.other(merged=1)
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    path.write_text(text.getvalue(), "utf-8")
    return counts


def _observation(call: Call, observation_id: str, kind: str, parent: str | None) -> Record:
    return {
        "id": observation_id, "traceId": call.trace_id, "type": kind, "parentObservationId": parent,
        "name": kind.lower(), "startTime": iso(call.started_at), "endTime": iso(call.ended_at), "level": "DEFAULT",
        "statusMessage": None,
        "model": None, "modelParameters": None, "usageDetails": {}, "costDetails": {}, "input": None, "output": None,
        "latency": (call.ended_at - call.started_at).total_seconds(),
    }  # fmt: skip


def _generation(call: Call, observation_id: str, parent: str | None) -> Record:
    """A generation; the keys of its counts are disjoint and named after the provider."""
    found = _observation(call, observation_id, "GENERATION", parent) | {
        "model": call.model, "modelParameters": {"temperature": 0.3, "max_tokens": 600},
        "input": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": call.question}],
    }  # fmt: skip
    if call.has_failed:
        return found | {"level": "ERROR", "statusMessage": "rate limited"}
    fresh = call.known_input - call.cache_read - call.cache_write
    details = {"input": fresh, "output": call.known_output - call.reasoning,
               "total": call.known_input + call.known_output}  # fmt: skip
    if call.provider == "anthropic":
        details |= {"cache_read_input_tokens": call.cache_read, "cache_creation_input_tokens": call.cache_write}
    else:
        details |= {"input_cached_tokens": call.cache_read, "output_reasoning_tokens": call.reasoning}
    cost = fresh * Decimal("0.00000015") + call.known_output * Decimal("0.0000006")
    total: int | float = json.loads(format(cost.normalize(), "f"))
    return found | {
        "usageDetails": details, "costDetails": {"total": total},
        "output": {"role": "assistant", "content": call.answer},
    }  # fmt: skip


def _row(call: Call, found: Record) -> list[object]:
    def moment(at: datetime) -> str:
        return at.strftime("%Y-%m-%d %H:%M:%S.%f")

    def text(value: object) -> object:
        return "" if value is None else value if isinstance(value, str | int | float) else dumps(value)

    return [
        found["id"], found["traceId"], found["type"], text(found["parentObservationId"]), found["name"],
        moment(call.started_at), moment(call.ended_at), "", found["level"], text(found["statusMessage"]),
        text(found["model"]), text(found["modelParameters"]), text(found["usageDetails"]), text(found["costDetails"]),
        text(found["input"]), text(found["output"]), found["latency"], "", call.user, call.session, '["web"]',
        "ask-the-shop",
    ]  # fmt: skip
