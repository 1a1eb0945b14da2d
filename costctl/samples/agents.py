"""Histories of coding agents: Codex CLI, Gemini CLI, Qwen Code, opencode."""

from __future__ import annotations

from pathlib import Path
from random import Random

from costctl.samples.expected import Counts
from costctl.samples.jsonl import Record, at, iso, new_id, write_lines
from costctl.samples.traced import hexes, uuid

CODEX_MODELS = ("gpt-5.2-codex", "gpt-5.1-codex-mini")
GEMINI_MODELS = ("gemini-2.5-pro", "gemini-2.5-flash")
QWEN_MODEL = "qwen3-coder-plus"
OPENCODE_MODELS = (("anthropic", "claude-sonnet-4-5-20250929"), ("openai", "gpt-5-2025-08-07"))
FOLDER = "/home/dev/timetable"
ASKED = "ordena los imports del buscador"
_COUNTS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens", "total_tokens")


def write_codex(path: Path, rng: Random) -> Counts:
    """Turns of two models; some states of the counter are told twice, some rows tell limits alone."""
    counts = Counts()
    lines: list[Record | str] = []
    total = dict.fromkeys(_COUNTS, 0)

    def add(kind: str, payload: Record, *, ignored: bool = True) -> None:
        lines.append({"timestamp": iso(at(len(lines) * 0.3)), "type": kind, "payload": payload})
        counts.other(ignored=int(ignored))

    add("session_meta", {"id": uuid(rng), "cwd": FOLDER, "cli_version": "0.98.0", "model_provider": "openai"})
    for turn in range(8):
        add("turn_context", {"cwd": FOLDER, "model": CODEX_MODELS[turn % 2], "effort": "medium"})
        said = {"type": "input_text", "text": ASKED}
        add("response_item", {"type": "message", "role": "user", "content": [said]})
        for _ in range(1 + turn % 3):
            last = _codex_request(rng)
            total = {name: total[name] + last[name] for name in _COUNTS}
            state = {"type": "token_count", "info": {"total_token_usage": total, "last_token_usage": last}}
            add("event_msg", state, ignored=False)
            counts.request(
                last["input_tokens"], last["output_tokens"], cache_read=last["cached_input_tokens"],
                reasoning=last["reasoning_output_tokens"],
            )  # fmt: skip
        if turn % 3 == 1:
            add("event_msg", state)
            add("event_msg", {"type": "token_count", "info": None, "rate_limits": {"primary": {"used_percent": 7.0}}})
    write_lines(path, lines)
    return counts


def _codex_request(rng: Random) -> Record:
    fresh, cached, reasoning = rng.randrange(300, 2000), rng.randrange(40, 90) * 128, rng.randrange(5) * 64
    output = reasoning + rng.randrange(60, 700)
    return dict(zip(_COUNTS, (fresh + cached, cached, output, reasoning, fresh + cached + output), strict=True))


def write_gemini(path: Path, rng: Random) -> Counts:
    """A session in lines: an answer written in two states, an error, a message that was rewound, a changed head."""
    counts = Counts()
    lines: list[Record | str] = [{
        "sessionId": uuid(rng), "projectHash": hexes(rng, 64), "startTime": iso(at(0)), "lastUpdated": iso(at(0)),
        "kind": "main", "directories": [FOLDER],
    }]  # fmt: skip
    counts.other(ignored=1)

    def say(minute: float, kind: str, **members: object) -> Record:
        return {"id": uuid(rng), "timestamp": iso(at(minute)), "type": kind, "content": ASKED, **members}

    for turn in range(10):
        lines.append(say(turn, "user"))
        counts.other(ignored=1)
        if turn == 6:
            lines.append(say(turn + 0.2, "error", content="overloaded"))
            counts.other(ignored=1)
            continue
        cached, thoughts, tool = rng.randrange(4) * 512, rng.randrange(3) * 90, 30 if turn == 4 else 0
        given, output = cached + rng.randrange(400, 3000), rng.randrange(40, 600)
        tokens = {"input": given, "output": output, "cached": cached, "thoughts": thoughts, "tool": tool,
                  "total": given + output + thoughts + tool}  # fmt: skip
        answer = say(turn + 0.3, "gemini", model=GEMINI_MODELS[turn % 2], tokens=tokens)
        if turn == 2:
            lines.append({name: value for name, value in answer.items() if name != "tokens"})
            counts.other(ignored=1)
        lines.append(answer)
        counts.request(given + tool, output + thoughts, cache_read=cached, reasoning=thoughts)
        if turn == 7:
            lines.append({"$rewindTo": answer["id"]})
            counts.other(ignored=1)
        if turn == 3:
            lines.append({"$set": {"lastUpdated": iso(at(turn + 0.4))}})
            counts.other(ignored=1)
    write_lines(path, lines)
    return counts


def write_qwen(path: Path, rng: Random) -> Counts:
    """A transcript: most answers with their telemetry, one call that only telemetry tells of, one failure."""
    counts = Counts()
    session = uuid(rng)
    lines: list[Record | str] = []

    def add(minute: float, kind: str, **members: object) -> None:
        lines.append({
            "uuid": uuid(rng), "parentUuid": None, "sessionId": session, "timestamp": iso(at(minute)), "type": kind,
            "cwd": FOLDER, "version": "0.18.3", **members,
        })  # fmt: skip

    def tell(minute: float, name: str, **event: object) -> None:
        said = {"event.name": f"qwen-code.{name}", "event.timestamp": iso(at(minute)), "model": QWEN_MODEL}
        add(minute, "system", subtype="ui_telemetry", systemPayload={"uiEvent": said | event})

    for turn in range(9):
        add(turn, "user", message={"role": "user", "parts": [{"text": ASKED}]})
        counts.other(ignored=1)
        if turn == 5:
            tell(turn + 0.2, "api_error", error_type="RateLimitError", status_code=429, duration_ms=310)
            counts.request(None, None, is_error=True)
            continue
        given, cached, thoughts = rng.randrange(3000, 9000), rng.randrange(3) * 1024, rng.randrange(3) * 40
        output = thoughts + rng.randrange(30, 400)
        counts.request(given, output, cache_read=cached, reasoning=thoughts)
        if turn % 3 != 2:
            tell(turn + 0.5, "api_response", input_token_count=given, output_token_count=output,
                 cached_content_token_count=cached, thoughts_token_count=thoughts, total_token_count=given + output,
                 response_id=new_id(rng, "chatcmpl-"), status_code=200,
                 duration_ms=rng.randrange(900, 9000))  # fmt: skip
        if turn == 4:  # a call of a sub-agent: no answer of it stands here
            continue
        counts.other(ignored=turn % 3 != 2)
        usage = {"promptTokenCount": given, "candidatesTokenCount": output, "thoughtsTokenCount": thoughts,
                 "totalTokenCount": given + output, "cachedContentTokenCount": cached}  # fmt: skip
        add(turn + 0.5, "assistant", model=QWEN_MODEL, usageMetadata=usage,
            message={"role": "model", "parts": [{"text": "Listo."}]})  # fmt: skip
    write_lines(path, lines)
    return counts


def write_opencode(path: Path, rng: Random) -> Counts:
    """Messages as older versions keep them, gathered in one file: subscriptions, an abort, an unfinished answer."""
    counts = Counts()
    lines: list[Record | str] = []
    session = new_id(rng, "ses_")
    for turn in range(10):
        begun = int(at(turn).timestamp() * 1000)
        lines.append({"id": new_id(rng, "msg_"), "sessionID": session, "role": "user", "time": {"created": begun}})
        counts.other(ignored=1)
        provider, model = OPENCODE_MODELS[turn % 2]
        answer: Record = {
            "id": new_id(rng, "msg_"), "sessionID": session, "role": "assistant", "providerID": provider,
            "modelID": model, "agent": "build", "path": {"cwd": FOLDER, "root": FOLDER},
            "time": {"created": begun + 40},
        }  # fmt: skip
        lines.append(answer)
        if turn == 9:
            counts.other(ignored=1)
            continue
        has_failed = turn == 4
        tokens = [0] * 5 if has_failed else [rng.randrange(3, 900), rng.randrange(40, 600), turn % 2 * 64,
                                             rng.randrange(2000, 9000), (1 - turn % 2) * 700]  # fmt: skip
        fresh, output, reasoning, read, write = tokens
        answer["time"]["completed"] = begun + rng.randrange(900, 9000)
        answer |= {"tokens": {"input": fresh, "output": output, "reasoning": reasoning,
                              "cache": {"read": read, "write": write}}, "cost": 0}  # fmt: skip
        lines[-1] = answer
        if has_failed:
            answer["error"] = {"name": "MessageAbortedError", "data": {"message": "aborted"}}
            counts.request(None, None)
            continue
        counts.request(
            fresh + read + write, output + reasoning, cache_read=read, cache_write=write, reasoning=reasoning
        )
    write_lines(path, lines)
    return counts
