"""LangSmith: exported runs, and the batches of pieces that its clients send."""

from __future__ import annotations

from pathlib import Path
from random import Random

from costctl.samples.expected import Counts
from costctl.samples.jsonl import Record, at, iso, write_lines
from costctl.samples.traced import SYSTEM, Call, calls, count_call, uuid


def write_runs(path: Path, rng: Random) -> Counts:
    """Chains around their runs, half of these exported whole, the others sent as a start and an end."""
    counts = Counts()
    lines: list[Record] = []
    for call in calls(rng):
        chain = _chain(call, uuid(rng))
        run = _run(call, uuid(rng), chain["id"])
        if call.number % 2 == 0:
            lines += [chain, run]
            counts.other(ignored=1)
            count_call(counts, call)
            continue
        # The end knows neither what kind of run it was nor when it began.
        end: Record = {name: run.pop(name) for name in ("end_time", "outputs", "error") if name in run}
        end |= {name: run[name] for name in ("id", "trace_id", "dotted_order", "parent_run_id")}
        chain_end = {"id": chain["id"], "trace_id": chain["trace_id"], "dotted_order": chain["dotted_order"],
                     "end_time": chain.pop("end_time"), "outputs": chain.pop("outputs")}  # fmt: skip
        lines += [{"post": [chain, run], "patch": []}, {"post": [], "patch": [end, chain_end]}]
        counts.other(ignored=1, merged=2)
        count_call(counts, call)
    lines.append(
        {"post": [], "patch": [{"id": uuid(rng), "dotted_order": "", "end_time": iso(at(200)), "error": None}]}
    )
    counts.other(merged=1)
    write_lines(path, lines)
    return counts


def _order(call: Call, run_id: str, parent: str | None = None) -> str:
    return (f"{parent}." if parent else "") + call.started_at.strftime("%Y%m%dT%H%M%S%fZ") + run_id


def _chain(call: Call, run_id: str) -> Record:
    """What is around the run; its counts are sums that the server rolled up."""
    return {
        "id": run_id, "trace_id": run_id, "parent_run_id": None, "dotted_order": _order(call, run_id),
        "run_type": "chain", "name": "ask", "start_time": iso(call.started_at), "end_time": iso(call.ended_at),
        "inputs": {"question": call.question}, "outputs": {"output": call.answer}, "session_name": "shop",
        "prompt_tokens": call.input_tokens or 0, "completion_tokens": call.output_tokens or 0,
    }  # fmt: skip


def _run(call: Call, run_id: str, chain_id: str) -> Record:
    parameters = {"model": call.asked_model, "temperature": 0.3, "max_tokens": 600}
    metadata = {"ls_provider": call.provider, "ls_model_name": call.asked_model, "thread_id": call.session,
                "user_id": call.user}  # fmt: skip
    found: Record = {
        "id": run_id, "trace_id": chain_id, "parent_run_id": chain_id,
        "dotted_order": _order(call, run_id, _order(call, chain_id)), "run_type": "llm", "name": "ChatModel",
        "start_time": iso(call.started_at), "end_time": iso(call.ended_at), "session_name": "shop", "tags": ["web"],
        "extra": {"invocation_params": parameters, "metadata": metadata}, "error": None,
        "inputs": {"messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": call.question}]},
    }  # fmt: skip
    if call.has_failed:
        return found | {"error": "RateLimitError('rate limited')", "outputs": None}
    usage = {
        "input_tokens": call.input_tokens, "output_tokens": call.output_tokens,
        "total_tokens": call.known_input + call.known_output,
        "input_token_details": {"cache_read": call.cache_read, "cache_creation": call.cache_write},
        "output_token_details": {"reasoning": call.reasoning},
    }  # fmt: skip
    message = {"role": "assistant", "content": call.answer}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return found | {"outputs": {"model": call.model, "choices": [choice], "usage_metadata": usage}}
