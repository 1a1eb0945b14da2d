"""A log with everything that a profile must carry: talks, retries, near prompts, answers, users, long instructions."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

TOPICS = ("order", "parcel", "booking", "invoice", "refund")
ENDS = ("", "", "", " Please answer today.", " Thank you very much.")
ASKS = (
    "How can I change the {0} of my {1}?", "How can I change the {0} of my {1} please?", "Where is the {0} for the {1}",
    "Write a Python function that prints the {0} of a {1}:\n```python\nprint(1)\n```",
    "I want to travel from Lima to Cusco for 5 days with the {0} and the {1}, plan it day by day",
    "My mail is ana.{0}@example.com, tell me about the {1}", "Hola, necesito cambiar el {0} de mi {1}",
    "What do the sources say about the {0} and the {1} in 2024? Cite them.",
)  # fmt: skip
SYLLABLES = [first + last for first in "bdfgklmnprst" for last in ("a", "e", "io", "un", "ar", "is")]
LONG = "You answer customers of a shop. Be short, be kind, and never invent a fact. " * 160  # 12,160 characters
SECRETS = ("example.com", "customer-", "talk-", "You answer customers")
MODELS = ("gpt-4o", "gpt-4o-mini", "claude-3-5-haiku-20241022")


def answer(asked: str, rng: Random) -> str:
    """Much the same for one question, unlike for another; some break the rules, some say no."""
    words = Random(asked)
    said = " ".join("".join(words.choices(SYLLABLES, k=3)) for _ in range(14))
    more = rng.choice(("", "", "", "<div>note</div>", " Call +1 555 010 4477.", " Have a good day."))
    return said + more if rng.random() > 0.03 else "I am sorry, I cannot help with that."


def make_calls(seed: int, count: int) -> list[dict[str, Any]]:
    """Attempts in the order of time; some share an instant, some have no id, some are tried again."""
    rng, at, rows = Random(seed), datetime(2026, 3, 2, 8, tzinfo=UTC), []
    for number in range(count):
        at += timedelta(seconds=rng.choice((0, 0, 1, 40, 200, 900)))
        words = (rng.choice(TOPICS), rng.choice(TOPICS))
        question, turn = rng.choice(ASKS).format(*words), rng.choice((1, 1, 1, 2, 3))
        asked = question + rng.choice(ENDS)
        system = LONG if rng.random() < 0.4 else "Help."
        messages = [{"role": "system", "content": system}, {"role": "user", "content": asked}]
        if turn > 1:
            past = [{"role": "user", "content": "Hello there"}, {"role": "assistant", "content": "Hi"}]
            messages[1:1] = past * (turn - 1)
        tokens = sum(len(one["content"]) for one in messages) // 4
        talk = f"talk-{rng.randrange(120)}" if turn > 1 or rng.random() < 0.2 else None
        row: dict[str, Any] = {
            "request_id": None if rng.random() < 0.05 else f"req-{rng.randrange(10**6):06}-{number}",
            "timestamp": f"{at:%Y-%m-%dT%H:%M:%S}Z", "model": rng.choice(MODELS), "messages": messages,
            "endpoint": rng.choice(("/chat", "/faq")), "app": rng.choice(("web", "phone")),
            "team": rng.choice(("north", "south")), "user_id": f"customer-{rng.randrange(40):03}",
            "user_profile": rng.choice(("free", "paid")), "conversation_id": talk,
            "response": answer(question, rng), "latency_ms": rng.randrange(200, 9_000),
            "input_tokens": tokens, "output_tokens": rng.randrange(20, 400), "cached_input_tokens": 0,
            "temperature": rng.choice((0, 0.2, 1)), "quality_score": rng.choice((None, 0.4, 0.9, 1)), "status": "ok",
        }  # fmt: skip
        rows.append(row)
        if rng.random() < 0.15:
            row["trace_id"] = f"trace-{number}"
            failed = {"status": "error", "error_type": f"Rate limit reached for {asked}", "status_code": 429}
            rows[-1:] = [row | failed | {"output_tokens": 0, "response": None, "attempt": 1}, row | {"attempt": 2}]
            rows[-1]["request_id"] = f"again-{number}"
    return rows


def write_logs(folder: Path, seed: int = 3, count: int = 900) -> list[Path]:
    """Two files, as two days of one service."""
    rows, paths = make_calls(seed, count), [folder / "one.jsonl", folder / "two.jsonl"]
    for path, part in zip(paths, (rows[::2], rows[1::2]), strict=True):
        path.write_text("".join(json.dumps(row) + "\n" for row in part), "utf-8")
    return paths
