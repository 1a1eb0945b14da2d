"""Small logs with everything that the replay looks at, made from a seed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from costctl.audit import pages
from costctl.prices.book import PriceBook
from costctl.prices.cost import apply_prices
from costctl.request import COLUMNS, SOURCE_COLUMNS
from costctl.store import Store, open_store
from costctl.tiers.fields import PACKED

Row = dict[str, Any]

MODELS = (
    "gpt-4o", "gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4", "gpt-3.5-turbo", "claude-3-5-haiku-20241022",
    "mistral-medium-latest", "ft:nobody-knows",
)  # fmt: skip
FAULTS: tuple[Row, ...] = (
    {"http_status": 408}, {"http_status": 504}, {"error_type": "Request timed out"}, {"http_status": 429},
    {"error_type": "rate_limit_error"}, {"http_status": 500}, {"http_status": 503}, {"error_type": "overloaded"},
    {"http_status": 400}, {},
)  # fmt: skip
FINISHES = (*["stop"] * 12, "length", "length", "content_filter", None, None)
HOUR_MS = 3_600_000
ENDPOINTS = ("/chat", "/chat", "/simple", "/lead", "/checkout/pay", None)
INTENTS = ("faq", "faq", "greeting", "lead", "recommendation", "itinerary_long", None)
TYPES = {
    **{column.name: column.type for column in (*SOURCE_COLUMNS, *COLUMNS)}, "model": "VARCHAR", "input_tokens": "BIGINT"
}  # fmt: skip


def packed(signals: dict[str, int]) -> int:
    """Signals of a text as the column `text_signals` holds them."""
    total, shift = 0, 0
    for name, bits in PACKED.items():
        total |= min(signals.get(name, 0), 2**bits - 1) << shift
        shift += bits
    return total


def make_log(seed: int) -> list[Row]:
    """170 to 380 attempts over one to three days, most of them one call each."""
    return _Writer(seed).rows()


class _Writer:
    def __init__(self, seed: int) -> None:
        self.rng = Random(f"log {seed}")
        self.wanted = self.rng.randint(170, 260)
        self.days = self.rng.choice((1, 1, 2, 3))
        # In the middle of June a price of the log changes.
        self.start = self.rng.choice((datetime(2026, 3, 2), datetime(2026, 3, 30), datetime(2026, 6, 15)))
        self.has_dates = self.rng.random() > 0.08
        self.grid = self.rng.choice((1, 1000, 600_000))  # milliseconds; ten minutes bring many ties and exact lifetimes
        self.made: list[Row] = []
        self.bursts = [self.rng.randrange(self.days * 86_400_000) for _ in range(self.rng.randint(2, 6))]
        # In the hour of the first burst most calls of one model's provider fail.
        self.incident = (self.bursts[0] // HOUR_MS, self.rng.choice(("gpt-", "gpt-4o", "claude", "mistral")))
        # Few models in few hours, so that attempts are drawn from hours and days too.
        self.is_dense = self.rng.random() < 0.4
        self.wanted += 120 * self.is_dense
        self.models = self.rng.sample(MODELS[1:7], 3) if self.is_dense else MODELS
        self.untimed = self.rng.choice((None, None, *MODELS))  # the log never says how long this model took
        self.prompts = [self.rng.getrandbits(64) for _ in range(self.rng.randint(15, 60))]
        self.users = [
            {"user_id": f"u{number}", "user_profile": self.rng.choice(("free", "free", "pro", None))}
            for number in range(self.rng.randint(4, 12))
        ]
        self.sessions = [
            {
                "session_id": f"s{number}", **self.rng.choice(self.users), "app": self.rng.choice(("web", "bot", None)),
                "counts": self.rng.choice(("all", "one", "unknown")), "turns": 0,
            }
            for number in range(self.rng.randint(8, 25))
        ]  # fmt: skip

    def rows(self) -> list[Row]:
        moments = sorted(self._moment() // self.grid * self.grid for _ in range(self.wanted))
        for number, moment in enumerate(moments):
            if number and self.rng.random() < 0.12:
                moment = moments[number - 1]  # noqa: PLW2901
                moments[number] = moment
            if len(self.made) >= self.wanted:
                break
            self._call(number, moment)
        names = list(range(len(self.made)))
        self.rng.shuffle(names)  # ids say nothing about the order
        for line, (row, name) in enumerate(zip(self.made, names, strict=True), start=1):
            chance = self.rng.random()
            row["request_id"] = None if chance < 0.02 else "twice" if chance < 0.06 else f"r{name}"
            row |= {"source_line": line, "file_id": 1 + name % 2}
        return self.made

    def _moment(self) -> int:
        """In one of the bursts, each of some minutes, or at any time; in a dense log mostly in the same three hours."""
        if self.is_dense and self.rng.random() < 0.9:
            return self.bursts[0] + self.rng.randrange(3 * HOUR_MS)
        if self.rng.random() < 0.4:
            return self.rng.choice(self.bursts) + self.rng.randrange(self.rng.choice((30_000, 200_000, HOUR_MS)))
        return self.rng.randrange(self.days * 86_400_000)

    def _call(self, number: int, moment: int) -> None:
        base = self._base()
        hour, prefix = self.incident
        is_hit = moment // HOUR_MS == hour and base["request_model"].startswith(prefix)
        traced = self.rng.random()
        if traced > 0.09:
            base["trace_id"] = self.rng.choice((None, None, f"t{number}", f"t{number // 3}"))
            self._attempt(base, moment, "error" if self.rng.random() < (0.7 if is_hit else 0.05) else "ok", None)
            return
        base["trace_id"] = f"t{number}"
        ending = self.rng.choice(("ok", "ok", "error", "ok then again"))
        outcomes = ["error"] * self.rng.randint(1, 2) + (["ok"] if ending != "error" else [])
        for attempt, status in enumerate(outcomes, start=1):
            if attempt > 1 and self.rng.random() < 0.5:
                base = {**base, "request_model": self.rng.choice(self.models), "is_fallback": True}
            self._attempt(base, moment, status, attempt)
            moment += self.rng.randrange(0, 4_000)
        if ending == "ok then again":
            self._attempt(base, moment + 1, "ok", 1)

    def _base(self) -> Row:
        """What all attempts of one call share."""
        rng = self.rng
        base: Row = {
            "request_model": rng.choice(self.models), "endpoint": rng.choice(ENDPOINTS), "intent": rng.choice(INTENTS),
            "tier": rng.choice(("A", "B", "C", None)), "team": rng.choice(("sales", "sales", "ops", None)),
            "temperature": rng.choice((0, 0, 0.2, 0.7, 1, None)), "language": rng.choice(("es", "en", None)),
            "has_image": rng.choice((False, False, True, None)), "stream": rng.choice((True, False, None)),
            "service_tier": rng.choice((None, None, "standard")), "logged_tier": rng.choice((None, "A", "C")),
            "tool_count": rng.choice((None, 0, 3)), "system_chars": rng.choice((None, 100, 5000)),
            "prompt_key": rng.choice((None, *self.prompts[: rng.randint(3, len(self.prompts))])),
        }  # fmt: skip
        if rng.random() < 0.9:
            base["text_signals"] = packed({
                "word_count": rng.randrange(400), "destination_count": rng.choice((0, 0, 1, 4)),
                "table_rows": rng.choice((0, 0, 30)), "travel_days": rng.choice((0, 5)),
                "constraint_count": rng.choice((0, 1, 3)), "source_count": rng.choice((0, 0, 2)),
                "has_code": int(rng.random() < 0.15), "contains_personal_data": int(rng.random() < 0.1),
            })  # fmt: skip
        if rng.random() < 0.55:
            return base | self._turn()
        who = rng.choice((*self.users, {}))
        return base | who | {"app": rng.choice(("web", "bot", None)), "turn_count": rng.choice((1, 1, 1, None))}

    def _turn(self) -> Row:
        session = self.rng.choice(self.sessions)
        session["turns"] += 1
        shown = {"all": session["turns"], "one": 1, "unknown": None}[session["counts"]]
        kept = {name: session[name] for name in ("session_id", "user_id", "user_profile", "app")}
        return {**kept, "turn_count": shown}

    def _attempt(self, base: Row, moment: int, status: str, attempt: int | None) -> None:
        rng = self.rng
        size = rng.choice((rng.randint(10, 400), rng.randint(200, 3_000), rng.randint(2_000, 20_000)))
        row = {
            **base, "attempt": attempt, "status": status, "usage_source": "provider",
            "latency_ms": self._latency(base["request_model"]),
            "input_uncached_tokens": size, "output_tokens": rng.choice((0, rng.randint(1, 80), rng.randint(50, 2_500))),
        }  # fmt: skip
        row |= rng.choice(FAULTS) if status == "error" else {"finish_reason": rng.choice(FINISHES)}
        if rng.random() < 0.2:
            row |= {"input_uncached_tokens": size - size // 2, "cache_read_tokens": size // 2}
        if rng.random() < 0.05:
            row["cache_write_5m_tokens"] = rng.randint(1, 800)
        if status == "error" and rng.random() < 0.7:
            row |= {"output_tokens": None, "input_uncached_tokens": rng.choice((size, None))}
        elif rng.random() < 0.03:
            row["output_tokens"] = None
        if rng.random() < 0.01:
            row |= rng.choice(({"usage_source": "missing"}, {"gateway_cache_hit": True}, {"status": "cancelled"}))
        self._when(row, moment)
        row["model"] = row["request_model"]
        if row["input_uncached_tokens"] is not None:
            caches = ("cache_read_tokens", "cache_write_5m_tokens")
            row["input_tokens"] = row["input_uncached_tokens"] + sum(row.get(name) or 0 for name in caches)
        self.made.append(row)

    def _latency(self, model: str) -> float | None:
        if model == self.untimed or self.rng.random() < 0.02:
            return None
        return self.rng.choice((120.5, 900, 2_000, self.rng.randrange(300, 9_000) / 2, self.rng.randrange(60_000)))

    def _when(self, row: Row, moment: int) -> None:
        if not self.has_dates:
            row["replay_offset_ms"] = moment
        elif self.rng.random() > 0.04:
            row["started_at"] = self.start + timedelta(milliseconds=moment)
        elif self.rng.random() < 0.3:
            row["replay_offset_ms"] = moment


LOG_TABLES = frozenset({"request", "request_row", "call", "replay_call", "replay_place"})
_READ = re.compile(r"\b(?:FROM|JOIN)\s+([\w.(]+)", re.IGNORECASE)
_WRITTEN = re.compile(
    r"\b(?:TABLE|VIEW|INTO|UPDATE|DELETE FROM)\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?(\w+)", re.IGNORECASE
)  # fmt: skip


class LogStore(Store):
    """A store that many policies ask the same of one log: what the log alone answers is asked of the engine once.

    What reads any other table is asked anew, and all of it once a table of the log is written.
    """

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._answers: dict[tuple[str, str, str], Any] = {}

    def numpy(self, sql: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Copies, since whoever asked may write to them."""
        found = self._answer("numpy", sql, params, super().numpy)
        return {name: values.copy() for name, values in found.items()}

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        return list(self._answer("query", sql, params, super().query))

    def execute(self, sql: str, params: Mapping[str, Any] | None = None) -> None:
        if not LOG_TABLES.isdisjoint(_WRITTEN.findall(sql)):
            self._answers.clear()
        super().execute(sql, params)

    def _answer(self, kind: str, sql: str, params: Mapping[str, Any] | None, ask: Callable[..., Any]) -> Any:
        read = _READ.findall(sql)
        if not read or not LOG_TABLES.issuperset(read):
            return ask(sql, params)
        asked = kind, sql, repr(sorted((params or {}).items()))
        if asked not in self._answers:
            self._answers[asked] = ask(sql, params)
        return self._answers[asked]


def store_of(rows: Sequence[Row], book: PriceBook, file: Path | None = None, *, threads: int = 1) -> Store:
    """A store in which these attempts were audited: `request` and `call`."""
    store = LogStore.in_memory(threads=threads) if file is None else open_store(file, threads=threads)
    columns = ", ".join(f'"{name}" {kind}' for name, kind in TYPES.items())
    store.execute(f"CREATE TABLE source ({columns})")
    names = sorted(set().union(*rows))
    store.insert("source", names, [[row.get(name) for name in names] for row in rows])
    apply_prices(store, source="source", target="request", book=book)
    pages.run(store, "calls.sql")
    return store


def dicts(store: Store, sql: str) -> list[Row]:
    """The rows of a query as mappings."""
    names, rows = store.table(sql)
    return [dict(zip(names, row, strict=True)) for row in rows]
