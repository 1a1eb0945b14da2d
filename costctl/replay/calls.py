"""The log as the replay sees it: calls in time order, as columns."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from costctl.errors import CostctlError, ExitCode
from costctl.store import Store

Int = NDArray[np.int64]
Flag = NDArray[np.bool_]
Code = NDArray[np.integer[Any]]
Small = NDArray[np.int16]
FOLDER = Path(__file__).parent
UNKNOWN = -1  # of a code or a count: the log does not say
DAY_US = 86_400 * 10**6


@dataclass(frozen=True)
class Calls:
    """Columns over all calls, each `count` long, in the order of the replay.

    Money is whole picodollars, time whole microseconds; -1 is an unknown count or code.
    """

    count: int
    time_us: Int
    baseline_pusd: Int  # of all attempts together, at list; 0 where unpriced
    input_tokens: Int
    output_tokens: Int
    cache_read_tokens: Int
    cache_write_tokens: Int
    output_pusd: Int  # the part of the answering attempt's cost that is output
    latency_us: Int
    model: Int  # code into `models`: the price key of the answering attempt
    models: tuple[str, ...]
    is_ok: Flag
    is_unpriced: Flag  # some attempt has no price: left as it is
    is_dated: Flag
    quality: NDArray[np.float64]  # the logged score of the answer, NaN where there is none
    draw_key: NDArray[np.uint64]  # names the call whatever else is in the log, so that its chance stays its own

    @property
    def is_movable(self) -> Flag:
        """Calls that another model could have answered: answered in the log, priced, and placed in time."""
        return self.is_ok & ~self.is_unpriced & self.is_dated & (self.input_tokens >= 0) & (self.output_tokens >= 0)


def _refuse_sums(store: Store) -> None:
    """Sums over many requests cannot be replayed: neither their order, nor their sizes, nor their prompts are known."""
    if not store.holds("usage_aggregate"):
        return
    raise CostctlError(
        "E418",
        "the log holds only sums over many requests (a usage API or a console export), which cannot be replayed: "
        "the single requests, their order and their sizes are not in it",
        "simulate a log of requests; costctl audit reads these sums",
        ExitCode.COVERAGE,
    )


def load_calls(store: Store) -> Calls:
    """The calls of the log that was audited last.

    Leaves them in the store as `replay_call`, numbered by `position`, for conditions and prices.

    Raises:
        CostctlError: E410 (exit 4) where no call can be placed in time, E414 without calls, E415 without prices,
            E427 without token counts, E418 where the log holds only sums over calls.
    """
    store.execute((FOLDER / "calls.sql").read_text("utf-8"))
    view_calls(store)
    found = fetch(
        store,
        "time_us, baseline_cost_pusd, unpriced_count > 0 AS is_unpriced, coalesce(latency_us, -1) AS latency_us, "
        "time_us IS NOT NULL AS is_dated, "
        "hash(request_id, time_us, request_model, input_tokens, output_tokens) AS draw_key",
    )
    found |= fetch(
        store,
        "status = 'ok' AS is_ok, "
        "coalesce(input_tokens, -1) AS input_tokens, coalesce(output_tokens, -1) AS output_tokens, "
        "coalesce(pusd_of(output_cost_usd), 0) AS output_pusd, "
        "coalesce(cache_read_tokens, -1) AS cache_read_tokens, coalesce(cache_write_5m_tokens, 0) "
        "+ coalesce(cache_write_1h_tokens, 0) + coalesce(cache_write_other_tokens, 0) AS cache_write_tokens, "
        "coalesce(quality_score, 'nan'::DOUBLE) AS quality",
    )
    is_dated = found["is_dated"]
    if not len(is_dated):
        _refuse_sums(store)
        raise CostctlError(
            "E414", "the log that was audited last holds no request", "see: costctl rejects", ExitCode.INPUT
        )
    if not ((found["input_tokens"] >= 0) | (found["output_tokens"] >= 0)).any():
        raise CostctlError(
            "E427",
            "no call of this log has token counts, so what a policy costs is unknown",
            "see what the log carries: costctl formats check LOG; name its counts: --map input_tokens=COLUMN",
            ExitCode.COVERAGE,
        )
    if found["is_unpriced"].all():
        raise CostctlError(
            "E415",
            "no call of this log has a price, so there is nothing to compare",
            "give its models a price: costctl simulate LOG --prices rates.yaml (costctl init writes an example)",
            ExitCode.COVERAGE,
        )
    if not is_dated.any():
        raise CostctlError(
            "E410",
            "no request of this log has a time or an offset, so there is no order to replay it in",
            "map the column that holds it: costctl audit LOG --map started_at=COLUMN",
            ExitCode.COVERAGE,
        )
    model, models = codes(store, "coalesce(price_key, model)")
    return Calls(
        count=len(is_dated), time_us=found["time_us"], baseline_pusd=found["baseline_cost_pusd"],
        input_tokens=found["input_tokens"], output_tokens=found["output_tokens"],
        cache_read_tokens=found["cache_read_tokens"],
        cache_write_tokens=found["cache_write_tokens"],
        output_pusd=found["output_pusd"],
        latency_us=found["latency_us"], model=model, models=models,
        is_ok=found["is_ok"], is_unpriced=found["is_unpriced"], is_dated=is_dated,
        draw_key=found["draw_key"], quality=found["quality"],
    )  # fmt: skip


def calls_digest(calls: Calls) -> str:
    """A name for these calls in this order, whatever their files are called and their prices are."""
    found = hashlib.blake2b(digest_size=8)
    for column in (calls.draw_key, calls.is_ok, calls.latency_us):
        found.update(np.ascontiguousarray(column).tobytes())
    return found.hexdigest()


def view_calls(store: Store, others: str = "") -> None:
    """Make the view `replay_call` of the attempts that `replay_place` numbers, with `others` in place of columns."""
    store.execute(
        "CREATE OR REPLACE TEMP VIEW replay_call AS SELECT p.* EXCLUDE (file_id, source_line, first_at), "
        f"r.* REPLACE (p.first_at AS started_at{others}) "
        f"FROM {_source(store)} r JOIN replay_place p USING (file_id, source_line)"
    )
    _positions.pop(store, None)
    _kept[store] = {}
    forget_lean(store)
    if not others:
        _positions[store] = _Positions(store)


def _source(store: Store) -> str:
    """`request`, or what `show_prefixes` made of it."""
    return "prefixed_request" if store.holds("prefixed_request") else "request"


def lean_calls(store: Store) -> str:
    """A table of the columns of `replay_call` that prices ask for, made when it is first asked for.

    It takes as much memory as all else in the store: `forget_lean` once the models are priced.
    """
    store.execute(
        "CREATE TEMP TABLE IF NOT EXISTS replay_lean AS SELECT position, started_at, service_tier, web_searches, "
        "input_tokens, usage_source, output_tokens, price_key, model, input_image_tokens FROM replay_call"
    )
    return "replay_lean"


def forget_lean(store: Store) -> None:
    """Drop the table of `lean_calls`."""
    store.execute("DROP TABLE IF EXISTS replay_lean")


class _Positions:
    """Which call each row of `request` stands for: a scan without a join is ten times as fast."""

    def __init__(self, store: Store) -> None:
        # One cell per line of every file, so that a row finds its call without a search.
        last = store.query("SELECT file_id, max(source_line) FROM request GROUP BY file_id ORDER BY file_id")
        cells = np.zeros(max((file for file, _ in last), default=0) + 1, dtype=np.int64)
        cells[[file for file, _ in last]] = [line + 1 for _, line in last]
        self._first: Int = np.cumsum(cells) - cells
        self._calls = np.full(int(cells.sum()), UNKNOWN, dtype=np.int32)
        place = store.numpy("SELECT file_id, source_line, position FROM replay_place")
        self._calls[self._cells(place["file_id"], place["source_line"])] = plain(place["position"])
        self.count = len(place["position"])

    def of(self, file_id: Any, source_line: Any) -> NDArray[np.int32]:
        """The position for each row of a scan, whatever order it came in; -1 for a row that stands for no call."""
        return self._calls[self._cells(file_id, source_line)]

    def _cells(self, file_id: Any, source_line: Any) -> Int:
        found: Int = self._first[plain(file_id)] + plain(source_line)
        return found


# Of the store whose calls were numbered last; a view of copies has none.
_positions: WeakKeyDictionary[Store, _Positions] = WeakKeyDictionary()
# What every replay of the same calls asks for again, by its question.
_kept: WeakKeyDictionary[Store, dict[Any, Any]] = WeakKeyDictionary()
PLACED = frozenset({
    "position", "attempt_count", "unpriced_count", "latency_us", "time_us", "baseline_cost_pusd", "is_later_turn",
    "started_at", "first_at", "copy_number",
})  # fmt: skip
"""Columns of `replay_call` that `request` lacks, or has otherwise."""


T = TypeVar("T")


def kept(store: Store, question: tuple[object, ...], make: Callable[[], T]) -> T:
    """What `make` gives for the calls in the store, made once for all policies that ask for it."""
    known = _kept[store]
    if question not in known:
        known[question] = make()
    found: T = known[question]
    return found


def codes(store: Store, expression: str, params: dict[str, Any] | None = None) -> tuple[Int, tuple[str, ...]]:
    """Small numbers for the texts of an expression over `replay_call`, and the texts; -1 is NULL.

    Numbers follow the order of the texts, so that they do not depend on the order of the log.
    """
    kept, question = _kept[store], (expression, *sorted((params or {}).items()))
    if question not in kept:
        kept[question] = _codes(store, expression, params)
    found: tuple[Int, tuple[str, ...]] = kept[question]
    return found


def numbers(store: Store, expression: str) -> Int:
    """As `codes` where nobody asks for the texts, of which none comes to Python: there may be one for each user."""
    ranked = f"CASE WHEN {expression} IS NULL THEN -1 ELSE dense_rank() OVER (ORDER BY {expression}) - 1 END"

    def ask() -> Int:
        found: Int = fetch(store, f"CAST({ranked} AS INTEGER) AS code")["code"]
        return found

    return kept(store, ("numbers", expression), ask)


def _codes(store: Store, expression: str, params: dict[str, Any] | None) -> tuple[Int, tuple[str, ...]]:
    rows = store.query(f"SELECT DISTINCT CAST({expression} AS VARCHAR) AS said FROM replay_call ORDER BY said", params)
    texts = tuple(text for (text,) in rows if text is not None)
    store.execute("CREATE OR REPLACE TEMP TABLE replay_code (said VARCHAR, code INTEGER)")
    store.insert("replay_code", ["said", "code"], list(zip(texts, map(str, range(len(texts))), strict=True)))
    found = fetch(
        store,
        f"coalesce((SELECT any_value(code) FROM replay_code WHERE said = CAST({expression} AS VARCHAR)), -1) AS code",
        params,
    )
    return found["code"], texts


def fetch(store: Store, columns: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
    """Columns or expressions over `replay_call` as arrays in the order of the replay."""
    positions = _positions.get(store)
    if positions is None or not PLACED.isdisjoint(re.findall(r"\w+", columns)):
        found = store.numpy(f"SELECT position, {columns} FROM replay_call", params)
        place, count = plain(found.pop("position")), None
    else:
        found = store.numpy(f"SELECT file_id AS _file, source_line AS _line, {columns} FROM request", params)
        place, count = positions.of(found.pop("_file"), found.pop("_line")), positions.count
    is_call = None if count is None or len(place) == count else place >= 0
    if is_call is not None:
        place = place[is_call]
    ordered = {}
    for name in list(found):  # one at a time, so that no column stands twice in memory for long
        values = plain(found.pop(name))
        ordered[name] = np.empty(len(place), dtype=values.dtype)
        ordered[name][place] = values if is_call is None else values[is_call]
    return ordered


def plain(values: Any) -> Any:
    """The array without a mask; what was NULL holds whatever the engine left there, so mask first."""
    return values.filled(0) if isinstance(values, np.ma.MaskedArray) else values


def constant(value: int, count: int) -> Int:
    """A column of one value, which takes no memory; not to be written to."""
    return np.broadcast_to(np.int64(value), count)


def span_us(calls: Calls) -> int:
    """From the first call to the last, of those that have a time."""
    times = calls.time_us[calls.is_dated]
    return int(times.max() - times.min()) if len(times) else 0


def exact_sum(values: Int, where: Flag | None = None) -> int:
    """The sum as a Python int: picodollars of a large log do not fit in 64 bits."""
    chosen = values if where is None else values[where]
    if not len(chosen) or max(-int(chosen.min()), int(chosen.max())) < 2**62 // len(chosen):
        return int(chosen.sum())
    return (int((chosen >> 30).sum()) << 30) + int((chosen & (2**30 - 1)).sum())
