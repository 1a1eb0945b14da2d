"""What the log shows of its models, as the oracle sees it: how attempts ended, how long answers took."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from functools import cache
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import yaml

from costctl.prices.book import load_book
from costctl.prices.place import pricing_folder
from costctl.replay.empirical import _filled
from tests.replay.oracle_terms import Call

Row = dict[str, Any]
OUTCOMES = ("ok", "error", "rate_limit", "server_error", "timeout")
ENOUGH = 30
HOUR_US = 3_600 * 10**6
DAY_US = 24 * HOUR_US
EPOCH = datetime(1970, 1, 1)
MODEL_FACTS = pricing_folder() / "models.yaml"
ENDINGS = {"length": "truncated", "content_filter": "refusal"}


class Seen(NamedTuple):
    """One attempt of the log."""

    model: str
    time_us: int | None
    outcome: int  # place in OUTCOMES
    latency_us: int


class Past:
    """The attempts of one log, to draw from, and its answered calls."""

    def __init__(self, rows: Sequence[Row], answered: Sequence[Call]) -> None:
        known = [row for row in rows if row["status"] in {"ok", "error"} and row["price_key"] is not None]
        self.ways: dict[str, list[str | None]] = defaultdict(list)
        for call in answered:
            self.ways[call.model].append(ending(call.row))
        timed = [row for row in known if row["status"] == "ok" and row["latency_ms"] is not None]
        supposed = stand_ins(rows, {row["price_key"] for row in timed})
        self.logged = Windows(seen(timed))
        self.attempts, self.answers = Windows(seen(known) + supposed), Windows(seen(timed) + supposed)

    def ratio_of(self, model: str, reasons: Sequence[str]) -> Fraction | None:
        """How often an answer of the model ended so; None where too few say how they ended."""
        told = [one for one in self.ways.get(model, ()) if one is not None]
        return Fraction(sum(one in reasons for one in told), len(told)) if len(told) >= ENOUGH else None

    def median_us(self, model: str) -> Fraction | None:
        """The median latency of the model's answers."""
        return median(Fraction(one.latency_us) for one in self.logged.rows[model]) if self.logged.knows(model) else None


class Windows:
    """Attempts by model and hour, model and day, and model."""

    def __init__(self, attempts: Sequence[Seen]) -> None:
        self.rows: dict[Any, list[Seen]] = defaultdict(list)
        # Hour by hour also in the wider windows, those without a time first.
        for one in sorted(attempts, key=lambda one: (hour_of(one.time_us), one.outcome, one.latency_us)):
            self.rows[one.model].append(one)
            if one.time_us is not None:
                self.rows[one.model, "hour", hour_of(one.time_us)].append(one)
                self.rows[one.model, "day", one.time_us // DAY_US].append(one)

    def knows(self, model: str) -> bool:
        """Whether the log has an answer of this model whose latency it knows."""
        return model in self.rows

    def pick(self, model: str, start_us: int, draw: float) -> Seen:
        """The attempt that a draw stands for at this time."""
        names = ((model, "hour", hour_of(start_us)), (model, "day", start_us // DAY_US))
        near = (self.rows[name] for name in names if len(self.rows.get(name, ())) >= ENOUGH)
        rows = next(near, self.rows[model])
        return rows[int(draw * len(rows))]


def seen(rows: Sequence[Row]) -> list[Seen]:
    """The attempts of models that have an answer of known latency; unknown latencies are filled in."""
    timed = {row["price_key"] for row in rows if row["status"] == "ok" and row["latency_ms"] is not None}
    chosen = [row for row in rows if row["price_key"] in timed]
    names = sorted(timed)
    times = [time_of(row) for row in chosen]
    latencies = [-1 if row["latency_ms"] is None else round(row["latency_ms"] * 1000) for row in chosen]
    ended = [OUTCOMES.index(outcome_of(row)) for row in chosen]
    if -1 in latencies:
        hours = [hour_of(time) for time in times]
        models = [names.index(row["price_key"]) for row in chosen]
        latencies = _filled(*(np.array(one, dtype=np.int64) for one in (models, hours, ended, latencies))).tolist()
    return [
        Seen(row["price_key"], time, outcome, latency)
        for row, time, outcome, latency in zip(chosen, times, ended, latencies, strict=True)
    ]


@cache
def resolved(model: str) -> str | None:
    """The price key of a model."""
    return load_book().resolve(model).model_key


def stand_ins(rows: Sequence[Row], timed: set[str]) -> list[Seen]:
    """Attempts of models that somebody has timed elsewhere and the log has not: one for each of some logged answers."""
    told = [row for row in rows if row["status"] == "ok" and row["output_tokens"] is not None]
    answers = sorted((-1 if (time := time_of(row)) is None else time, row["output_tokens"]) for row in told)
    answers = answers[:: max(1, math.ceil(len(answers) / 20_000))]
    found = []
    for entry in yaml.safe_load(MODEL_FACTS.read_text("utf-8"))["models"]:
        key = resolved(f"{entry['provider']}/{entry['model']}") if "first_token_ms" in entry else None
        if key is not None and key not in timed:
            first_us, speed = entry["first_token_ms"][0] * 1000, entry["speed_tokens_per_s"][0]
            found += [
                Seen(key, None if time < 0 else time, 0, first_us + tokens * 10**6 // speed) for time, tokens in answers
            ]
    return found


def hour_of(time_us: int | None) -> int:
    """The hour since 1970, -1 for an unknown time."""
    return -1 if time_us is None else time_us // HOUR_US


def time_of(row: Row) -> int | None:
    """When an attempt began, in microseconds."""
    if row["started_at"] is not None:
        since = row["started_at"] - EPOCH
        return int((since.days * 86_400 + since.seconds) * 10**6 + since.microseconds)
    return None if row["replay_offset_ms"] is None else int(row["replay_offset_ms"] * 1000)


def outcome_of(row: Row) -> str:
    """The class of an attempt that answered or failed."""
    code, said = row["http_status"] or 0, (row["error_type"] or "").lower()
    if row["status"] == "ok":
        return "ok"
    if code == 429 or re.search(r"rate.?limit|429|throttl|too.?many", said):
        return "rate_limit"
    if code in {408, 504} or re.search(r"time.?d?.?out", said):
        return "timeout"
    if code >= 500 or re.search(r"server|overload|unavailable|internal|5\d\d", said):
        return "server_error"
    return "error"


def ending(row: Row) -> str | None:
    """Whether an answer was truncated, a refusal or neither; None where the log does not say."""
    said = row["finish_reason"]
    return None if said is None else ENDINGS.get(said, "whole")
