"""How long models take that the log does not show: as the policy assumes, else as somebody published, else not known.

Such a model answers every n-th of the log's answers at the time of that answer, in the time of its first token and of
the tokens of that answer at its speed. These attempts are drawn from like logged ones. They never fail.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np

from costctl.policy.results import Assume
from costctl.prices.book import PriceBook
from costctl.prices.models import load_facts, resolve_facts
from costctl.replay.calls import Int, plain
from costctl.replay.candidates import Candidate
from costctl.replay.ratios import by_price_key, said
from costctl.store import Store

ANSWERS_MAX = 20_000
ASSUMED = "the policy assumes it"


class Prior(NamedTuple):
    """The time to the first token in milliseconds, tokens a second after it, and whose figures they are."""

    first_token_ms: Decimal
    output_tokens_per_s: Decimal
    source: str

    def latency_us(self, output_tokens: Int) -> Int:
        """How long answers of so many tokens take, in whole microseconds."""
        over, under = self.output_tokens_per_s.as_integer_ratio()
        return int(self.first_token_ms * 1000) + output_tokens * (10**6 * under) // over


def priors_of(
    store: Store, assume: Assume, book: PriceBook, candidates: Iterable[Candidate], logged: Sequence[str]
) -> dict[str, Prior]:  # fmt: skip
    """By price key: the prior of each model, bought or `logged`, of which the log has no answer with a latency."""
    rows = store.query(
        "SELECT DISTINCT price_key FROM request WHERE status = 'ok' AND latency_ms >= 0 AND price_key IS NOT NULL"
    )
    shown = {key for (key,) in rows}
    keys = dict.fromkeys((*logged, *(one.price_key for one in candidates if one.engine is None)))
    absent = [key for key in keys if key not in shown]
    first_token_ms, speeds = (by_price_key(one, book) for one in (assume.first_token_ms, assume.output_tokens_per_s))
    published = _published(book) if absent else {}
    found: dict[str, Prior] = {}
    for key in absent:
        other = published.get(key)
        first, speed = said(first_token_ms, key), said(speeds, key)
        if other is not None:
            whose = (
                other.source if first is None and speed is None
                else ASSUMED if first is not None and speed is not None else f"{ASSUMED}; {other.source}"
            )  # fmt: skip
            first = other.first_token_ms if first is None else first
            found[key] = Prior(first, other.output_tokens_per_s if speed is None else speed, whose)
        elif first is not None and speed is not None:
            found[key] = Prior(first, speed, ASSUMED)
    return found


def with_priors(
    store: Store, columns: Mapping[str, Any], priors: Mapping[str, Prior], models: tuple[str, ...]
) -> dict[str, Any]:  # fmt: skip
    """Attempts (model, started_us, latency_us, outcome) of the log, and in place of a model's those of its prior."""
    if not priors:
        return dict(columns)
    codes = np.array([models.index(key) for key in priors], dtype=np.int64)
    kept = ~np.isin(columns["model"], codes)  # what the log has of these models says nothing of their time
    found = store.numpy(
        "SELECT coalesce(epoch_us(started_at), replay_offset_ms * 1000, -1) AS time_us, output_tokens FROM request "
        "WHERE status = 'ok' AND output_tokens >= 0 ORDER BY time_us, output_tokens"
    )
    step = max(1, -(-len(found["time_us"]) // ANSWERS_MAX))
    times, tokens = plain(found["time_us"])[::step], plain(found["output_tokens"])[::step]
    parts = [{name: values[kept] for name, values in columns.items()}]
    for code, prior in zip(codes.tolist(), priors.values(), strict=True):
        count = len(times)
        parts.append({
            "model": np.full(count, code, dtype=np.int64), "started_us": times,
            "latency_us": prior.latency_us(tokens), "outcome": np.zeros(count, dtype=np.int8),
        })  # fmt: skip
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[1]}


def _published(book: PriceBook) -> dict[str, Prior]:
    found = {}
    for entry in load_facts():
        first, speed = entry.first_token_ms, entry.speed_tokens_per_s
        key = resolve_facts(entry, book).model_key if first and speed else None
        if key and first and speed:
            found[key] = Prior(Decimal(first.value), Decimal(speed.value), f"{speed.status}: {speed.source}")
    return found
