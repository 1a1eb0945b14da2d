"""Seeded logs for the benchmarks: one with text as a chat application writes it, one lean."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path

import orjson

MODELS = ("gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18", "claude-sonnet-4-5-20250929", "gpt-4.1-2025-04-14")
WORDS = (
    "the price of a hotel in Valparaíso for two days with kids and breakfast near the beach please tell me "
    "cuánto cuesta el bus a Puerto Montt y qué horario tiene los domingos necesito una habitación doble con "
    "vista al mar para tres noches gracias compare these options and explain step by step which one is better"
).split()
START = datetime(2026, 3, 1)


def text_log(path: Path, count: int, seed: int = 7) -> Path:
    """`count` lines of about 1.1 kB: system, history and user messages, an answer, usage."""
    r = random.Random(seed)
    questions = [" ".join(r.choices(WORDS, k=r.randrange(4, 60))) for _ in range(count // 3 + 1)]
    answers = [" ".join(r.choices(WORDS, k=70)) for _ in range(2000)]
    with path.open("wb") as file:
        for n in range(count):
            messages = [{"role": "system", "content": "You are the assistant of a travel company. " * 3}]
            if n % 3 == 0:
                messages += [
                    {"role": "user", "content": r.choice(questions)},
                    {"role": "assistant", "content": r.choice(answers)[:200]},
                ]
            messages.append({"role": "user", "content": r.choice(questions)})
            row = {
                "request_id": f"req_{n:08d}",
                "timestamp": f"{(START + timedelta(seconds=n)).isoformat()}.000Z",
                "provider": "openai",
                "model": MODELS[n % 4],
                "endpoint": ("/chat", "/faq", "/trips")[n % 3],
                "user_id": f"u{n % 997}",
                "team": f"t{n % 7}",
                "messages": messages,
                "response": r.choice(answers),
                "latency_ms": r.randrange(200, 9000),
                "status": "ok",
                "usage": {
                    "prompt_tokens": 300 + n % 4000,
                    "completion_tokens": 20 + n % 300,
                    "prompt_tokens_details": {"cached_tokens": n % 256},
                },
            }
            file.write(orjson.dumps(row) + b"\n")
    return path


def lean_log(path: Path, count: int, seed: int = 7) -> Path:
    """`count` lines without text, about 190 bytes each."""
    r = random.Random(seed)
    with path.open("wb") as file:
        for n in range(count):
            row = {
                "request_id": f"r{n}",
                "timestamp": (START + timedelta(seconds=n * 0.3)).isoformat(),
                "model": MODELS[n % 4],
                "endpoint": f"/e{n % 8}",
                "user_id": f"u{r.randrange(5000)}",
                "input_tokens": r.randrange(100, 5000),
                "output_tokens": r.randrange(10, 900),
                "latency_ms": r.randrange(200, 9000),
                "status": "ok",
            }
            file.write(orjson.dumps(row) + b"\n")
    return path
