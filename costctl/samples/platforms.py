"""MLflow traces, Weave calls and Braintrust logs of the same service."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from random import Random

from costctl.samples.expected import Counts
from costctl.samples.jsonl import Record, dumps, iso, write_lines
from costctl.samples.traced import SYSTEM, Call, calls, count_call, hexes, uuid


def _messages(call: Call) -> list[Record]:
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": call.question}]


def _answer(call: Call) -> Record:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": call.answer}}
    return {"id": call.answer_id, "model": call.model, "choices": [choice]}


def write_mlflow(path: Path, rng: Random) -> Counts:
    """A trace for each call: an agent around it, and half of the time the framework's own span of it."""
    counts = Counts()
    lines: list[Record] = []
    for call in calls(rng):
        agent, span = hexes(rng, 16), hexes(rng, 16)
        spans = [
            _mlflow_span(call, agent, None, "AGENT", {}),
            _mlflow_span(call, span, agent, "CHAT_MODEL", _mlflow(call)),
        ]
        counts.other(ignored=1)
        count_call(counts, call)
        if call.number % 2 and not call.has_failed:  # LangChain's span around that of the provider's SDK
            spans.append(_mlflow_span(call, hexes(rng, 16), span, "CHAT_MODEL", _mlflow(call)))
            counts.other(merged=1)
        metadata = {"mlflow.trace.session": call.session, "mlflow.trace.user": call.user}
        info = {"trace_id": f"tr-{call.trace_id}", "state": "OK", "trace_metadata": metadata}
        lines.append({"info": info, "data": {"spans": spans}})
    write_lines(path, lines)
    return counts


def _mlflow_span(call: Call, span_id: str, parent: str | None, kind: str, said: Record) -> Record:
    said = {"mlflow.spanType": kind, **said}
    return {
        "trace_id": call.trace_id, "span_id": span_id, "parent_span_id": parent, "name": kind.lower(),
        "start_time_unix_nano": _nanoseconds(call.started_at), "end_time_unix_nano": _nanoseconds(call.ended_at),
        "status": {"code": "STATUS_CODE_ERROR" if call.has_failed else "STATUS_CODE_OK", "message": ""},
        "events": [], "attributes": {name: dumps(value) for name, value in said.items()},
    }  # fmt: skip


def _nanoseconds(moment: datetime) -> int:
    return (int(moment.timestamp()) * 1_000_000 + moment.microsecond) * 1000


def _mlflow(call: Call) -> Record:
    said: Record = {
        "mlflow.llm.model": call.asked_model, "mlflow.llm.provider": call.provider,
        "mlflow.spanInputs": {"model": call.asked_model, "messages": _messages(call), "temperature": 0.3},
    }  # fmt: skip
    if call.has_failed:
        return said
    usage = {
        "input_tokens": call.input_tokens, "output_tokens": call.output_tokens,
        "total_tokens": call.known_input + call.known_output, "cache_read_input_tokens": call.cache_read,
        "cache_creation_input_tokens": call.cache_write,
    }  # fmt: skip
    return said | {"mlflow.chat.tokenUsage": usage, "mlflow.spanOutputs": _answer(call) | {"usage": _body_usage(call)}}


def write_weave(path: Path, rng: Random) -> Counts:
    """An op of the user's around each call of the provider's API; its summary repeats what the call used."""
    counts = Counts()
    lines: list[Record] = []
    for call in calls(rng):
        outer, trace = uuid(rng), uuid(rng)
        used = {} if call.has_failed else {"requests": 1} | _body_usage(call)
        summary: Record = {"usage": {call.model: used} if used else {}, "status_counts": {"success": 1}}
        ask = _op(call, outer, trace, None, "ask") | {"inputs": {"question": call.question}, "summary": summary}
        api = "anthropic.messages.create" if call.provider == "anthropic" else "openai.chat.completions.create"
        inner = _op(call, uuid(rng), trace, outer, api) | {
            "inputs": {"model": call.asked_model, "messages": _messages(call), "temperature": 0.3}, "summary": summary,
        }  # fmt: skip
        if call.has_failed:
            inner |= {"exception": "RateLimitError: rate limited", "output": None}
            counts.other(ignored=1)
        else:
            inner |= {"output": _answer(call) | {"usage": _body_usage(call)}}
            counts.other(merged=1)
        lines += [ask, inner]
        count_call(counts, call)
    write_lines(path, lines)
    return counts


def _op(call: Call, call_id: str, trace: str, parent: str | None, name: str) -> Record:
    return {
        "id": call_id, "project_id": "acme/shop", "op_name": f"weave:///acme/shop/op/{name}:abc123", "trace_id": trace,
        "parent_id": parent, "thread_id": call.session, "started_at": iso(call.started_at),
        "ended_at": iso(call.ended_at), "exception": None, "output": call.answer, "wb_user_id": call.user,
    }  # fmt: skip


def _body_usage(call: Call) -> Record:
    """The provider's own usage object."""
    if call.provider == "anthropic":
        fresh = call.known_input - call.cache_read - call.cache_write
        return {
            "input_tokens": fresh, "output_tokens": call.output_tokens,
            "cache_read_input_tokens": call.cache_read, "cache_creation_input_tokens": call.cache_write,
        }  # fmt: skip
    return {
        "prompt_tokens": call.input_tokens, "completion_tokens": call.output_tokens,
        "total_tokens": call.known_input + call.known_output,
        "prompt_tokens_details": {"cached_tokens": call.cache_read},
        "completion_tokens_details": {"reasoning_tokens": call.reasoning},
    }  # fmt: skip


def write_braintrust(path: Path, rng: Random) -> Counts:
    """A task span around each call; times are seconds since 1970."""
    counts = Counts()
    lines: list[Record] = []
    for call in calls(rng):
        root, span = uuid(rng), uuid(rng)
        task = _braintrust(call, root, root, [], "task") | {"input": call.question, "output": call.answer}
        llm = _braintrust(call, span, root, [root], "llm") | {
            "input": _messages(call), "metadata": {"model": call.model, "provider": call.provider, "temperature": 0.3,
            "max_tokens": 600, "session_id": call.session, "user_id": call.user},
        }  # fmt: skip
        if call.has_failed:
            llm |= {"error": "RateLimitError: rate limited", "output": None}
        else:
            llm["output"] = _answer(call)["choices"]
            llm["metrics"] |= {
                "prompt_tokens": call.input_tokens, "completion_tokens": call.output_tokens,
                "tokens": call.known_input + call.known_output, "prompt_cached_tokens": call.cache_read,
                "prompt_cache_creation_tokens": call.cache_write, "completion_reasoning_tokens": call.reasoning,
            }  # fmt: skip
        lines += [task, llm]
        counts.other(ignored=1)
        count_call(counts, call)
    lines.append(lines[1])
    counts.other(merged=1)
    write_lines(path, lines)
    return counts


def _braintrust(call: Call, span_id: str, root: str, parents: list[str], kind: str) -> Record:
    return {
        "id": span_id, "span_id": span_id, "root_span_id": root, "span_parents": parents,
        "created": iso(call.started_at), "project_id": "shop", "span_attributes": {"name": kind, "type": kind},
        "metrics": {"start": call.started_at.timestamp(), "end": call.ended_at.timestamp()},
        "metadata": {}, "tags": ["web"], "error": None,
    }  # fmt: skip
