"""OpenAI: bare answers, and captures of whole exchanges with all that occurs in them."""

from __future__ import annotations

from pathlib import Path
from random import Random

from costctl.samples.expected import Counts
from costctl.samples.jsonl import Record, at, dumps, iso, new_id, write_lines
from costctl.samples.texts import ANSWERS, SYSTEMS, fill

CHAT_URL, MINI, FULL = "https://api.openai.com/v1/chat/completions", "gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06"
INTENTS = ("greeting", "faq", "recommendation", "lead")


def write_bodies(path: Path, rng: Random) -> Counts:
    """24 chat completions, one of them twice, and one line cut off."""
    counts = Counts()
    lines: list[Record | str] = []
    for number in range(24):
        intent = INTENTS[number % len(INTENTS)]
        cached = rng.randrange(8, 12) * 128 if number % 5 == 4 else 0
        reasoning = rng.randrange(2, 6) * 64 if number % 8 == 7 else 0
        body = _answer(
            rng, number, "o4-mini-2025-04-16" if reasoning else (MINI, FULL)[number % 2],
            ANSWERS[intent]["es" if number % 3 else "en"],
            prompt=cached + rng.randrange(60, 400), cached=cached, output=reasoning + rng.randrange(12, 160),
            reasoning=reasoning,
        )  # fmt: skip
        lines.append(body)
        _count(counts, body)
        if number == 11:
            lines.append(body)
            counts.other(merged=1)
    lines.insert(17, dumps(lines[3])[:240])
    counts.other(rejected=1)
    write_lines(path, lines)
    return counts


def write_captures(path: Path, rng: Random) -> Counts:
    """Exchanges of every kind: plain, streamed, tools, reasoning, Responses, embeddings, a refusal."""
    counts = Counts()
    lines: list[Record] = []
    for number in range(12):
        intent = INTENTS[number % len(INTENTS)]
        body = _answer(
            rng,
            number,
            MINI if number % 3 else FULL,
            ANSWERS[intent]["es"],
            prompt=rng.randrange(90, 420),
            output=rng.randrange(15, 140),
        )
        lines.append(_capture(rng, number, CHAT_URL, _question(rng, intent, body["model"]), body))
        _count(counts, body)
    special = (_tool_call, _reasoning, _streamed, _streamed_without_counts, _responses, _embeddings, _refused)
    lines += [make(rng, number, counts) for number, make in enumerate(special, len(lines))]
    write_lines(path, lines)
    return counts


def _count(counts: Counts, body: Record) -> None:
    usage = body["usage"]
    counts.request(
        usage["prompt_tokens"], usage["completion_tokens"], cache_read=usage["prompt_tokens_details"]["cached_tokens"],
        reasoning=usage["completion_tokens_details"]["reasoning_tokens"],
    )  # fmt: skip


def _usage(prompt: int, output: int, cached: int, reasoning: int) -> Record:
    return {
        "prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reasoning, "audio_tokens": 0},
    }  # fmt: skip


def _answer(
    rng: Random, number: int, model: str, text: str, *, prompt: int, output: int, cached: int = 0, reasoning: int = 0
) -> Record:  # fmt: skip
    message = {"role": "assistant", "content": text, "refusal": None}
    return {
        "id": new_id(rng, "chatcmpl-"), "object": "chat.completion", "created": int(at(number * 7).timestamp()),
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": _usage(prompt, output, cached, reasoning), "service_tier": "default",
    }  # fmt: skip


def _question(rng: Random, intent: str, model: str) -> Record:
    messages = [{"role": "system", "content": SYSTEMS["/chat"]}, {"role": "user", "content": fill(rng, intent, "es")}]
    return {"model": model, "messages": messages, "temperature": 0.3, "max_tokens": 400}


def _capture(rng: Random, number: int, url: str, asked: Record, answered: Record | str, status: int = 200) -> Record:
    return {
        "request": {"method": "POST", "url": url, "body": asked}, "response": {"status": status, "body": answered},
        "started_at": iso(at(number * 7)), "duration_ms": rng.randrange(300, 6000), "app": "assistant",
        "session_id": f"web-{number // 2:03d}",
    }  # fmt: skip


def _tool_call(rng: Random, number: int, counts: Counts) -> Record:
    body = _answer(rng, number, FULL, "", prompt=388, output=31)
    call = {
        "id": new_id(rng, "call_"),
        "type": "function",
        "function": {"name": "find_buses", "arguments": '{"from":"Valdivia","to":"Castro"}'},
    }
    body["choices"][0] |= {
        "message": {"role": "assistant", "content": None, "tool_calls": [call]},
        "finish_reason": "tool_calls",
    }
    tools = [{"type": "function", "function": {"name": "find_buses", "parameters": {"type": "object"}}}]
    _count(counts, body)
    return _capture(rng, number, CHAT_URL, _question(rng, "faq", FULL) | {"tools": tools}, body)


def _reasoning(rng: Random, number: int, counts: Counts) -> Record:
    body = _answer(
        rng, number, "o4-mini-2025-04-16", ANSWERS["itinerary_long"]["en"], prompt=240, output=1460, reasoning=1024
    )
    _count(counts, body)
    return _capture(rng, number, CHAT_URL, _question(rng, "itinerary_long", "o4-mini-2025-04-16"), body)


def _chunks(rng: Random, number: int, words: list[str]) -> list[Record]:
    head: Record = {
        "id": new_id(rng, "chatcmpl-"),
        "object": "chat.completion.chunk",
        "created": int(at(number * 7).timestamp()),
        "model": MINI,
    }
    choices: list[Record] = [{"index": 0, "delta": {"content": word + " "}, "finish_reason": None} for word in words]
    choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    return [head | {"choices": [choice]} for choice in choices]


def _events(chunks: list[Record]) -> str:
    return "".join(f"data: {dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"


def _streamed(rng: Random, number: int, counts: Counts) -> Record:
    """The last chunk carries the counts, because the request asked for them."""
    chunks = _chunks(rng, number, ANSWERS["faq"]["es"].split())
    usage = _usage(1410, 52, 1280, 0)
    chunks.append(
        {key: chunks[0][key] for key in ("id", "object", "created", "model")} | {"choices": [], "usage": usage}
    )
    counts.request(1410, 52, cache_read=1280, reasoning=0)
    asked = _question(rng, "faq", MINI) | {"stream": True, "stream_options": {"include_usage": True}}
    return _capture(rng, number, CHAT_URL, asked, _events(chunks))


def write_streams(path: Path, rng: Random) -> Counts:
    """The text of eight streams as they were captured, two of them without counts."""
    counts, texts = Counts(), list[str]()
    for number in range(8):
        chunks = _chunks(rng, number, ANSWERS["faq"]["en"].split()[: rng.randrange(4, 12)])
        if number % 4 == 3:
            counts.request(None, None)
        else:
            head = {key: chunks[0][key] for key in ("id", "object", "created", "model")}
            prompt, output, cached = 1500 + 10 * number, 3 * number + 20, 1280 * (number % 2)
            chunks.append(head | {"choices": [], "usage": _usage(prompt, output, cached, 0)})
            counts.request(prompt, output, cache_read=cached, reasoning=0)
        counts.other(ignored=len(chunks) - 1)
        texts.append(_events(chunks))
    path.write_text("".join(texts), "utf-8")
    return counts


def _streamed_without_counts(rng: Random, number: int, counts: Counts) -> Record:
    counts.request(None, None)
    return _capture(
        rng,
        number,
        CHAT_URL,
        _question(rng, "faq", MINI) | {"stream": True},
        _events(_chunks(rng, number, ANSWERS["greeting"]["en"].split())),
    )


def _responses(rng: Random, number: int, counts: Counts) -> Record:
    text = {"type": "output_text", "text": ANSWERS["recommendation"]["en"]}
    body = {
        "id": new_id(rng, "resp_"), "object": "response", "created_at": int(at(number * 7).timestamp()),
        "status": "completed",
        "model": "gpt-5-mini-2025-08-07", "output": [{"type": "message", "role": "assistant", "content": [text]}],
        "usage": {
            "input_tokens": 2310, "input_tokens_details": {"cached_tokens": 2048}, "output_tokens": 402,
            "output_tokens_details": {"reasoning_tokens": 192}, "total_tokens": 2712,
        },
    }  # fmt: skip
    counts.request(2310, 402, cache_read=2048, reasoning=192)
    asked = {
        "model": "gpt-5-mini",
        "instructions": SYSTEMS["/recommend"],
        "input": fill(rng, "recommendation", "en"),
        "max_output_tokens": 900,
    }
    return _capture(rng, number, "https://api.openai.com/v1/responses", asked, body)


def _embeddings(rng: Random, number: int, counts: Counts) -> Record:
    body = {
        "object": "list", "model": "text-embedding-3-small", "data": [{"object": "embedding", "index": 0,
        "embedding": [0.25, -0.5, 0.125]}],
        "usage": {"prompt_tokens": 19, "total_tokens": 19},
    }  # fmt: skip
    counts.request(19, None)
    return _capture(
        rng,
        number,
        "https://api.openai.com/v1/embeddings",
        {"model": "text-embedding-3-small", "input": fill(rng, "faq", "es")},
        body,
    )


def _refused(rng: Random, number: int, counts: Counts) -> Record:
    error = {
        "message": "Too many requests for this organisation.",
        "type": "rate_limit_exceeded",
        "code": "rate_limit_exceeded",
    }
    counts.request(None, None, is_error=True)
    return _capture(rng, number, CHAT_URL, _question(rng, "faq", FULL), {"error": error}, status=429)
