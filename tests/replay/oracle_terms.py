"""What the oracle knows of one call: its facts, the conditions that hold for it, whether a cache may keep it."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from costctl.policy import when as terms
from costctl.policy.stages import Cache
from costctl.tiers.fields import PACKED

Row = dict[str, Any]
PICO = 10**12
EPOCH = datetime(1970, 1, 1)
LAST = (1,)


class Call:
    """The attempts of one call; the answering one stands for it."""

    def __init__(self, attempts: list[Row]) -> None:
        attempts = sorted(attempts, key=lambda one: one["attempt_number"])
        good = [one for one in attempts if one["status"] == "ok"]
        row = self.row = (good or attempts)[-1]
        self.identity = (row["file_id"], row["source_line"])
        self.attempts = attempts
        self.is_ok = row["status"] == "ok"
        self.is_unpriced = any(one["list_cost_usd"] is None and one["price_status"] != "not_billed" for one in attempts)
        self.baseline = sum(pico(one["list_cost_usd"]) for one in attempts)
        self.output_pusd = pico(row["output_cost_usd"])
        self.input_tokens: int | None = row["input_tokens"]
        self.output_tokens: int | None = row["output_tokens"]
        self.price_key = row["price_key"]
        self.model: str = row["price_key"] or row["model"]
        self.latency_us = took(attempts)
        self.priced_at: datetime | None = first([one["started_at"] for one in attempts])
        offset = first([one["replay_offset_ms"] for one in attempts])
        self.is_dated = self.priced_at is not None or offset is not None
        self.time_us = (offset or 0) * 1000
        if self.priced_at is not None:  # a call begins with its first attempt
            since = self.priced_at - EPOCH
            self.time_us = (since.days * 86_400 + since.seconds) * 10**6 + since.microseconds
        self.day = self.time_us // (86_400 * 10**6)
        self.is_movable = (
            self.is_ok
            and self.is_dated
            and not self.is_unpriced
            and self.input_tokens is not None
            and self.output_tokens is not None
        )
        ties = ("request_id", "model", "input_tokens", "output_tokens", "latency_ms", "source_line", "file_id")
        self.order = (not self.is_dated, self.time_us, *(unknown_last(row[name]) for name in ties))


def took(attempts: list[Row]) -> int | None:
    """How long a call took, from its first attempt to the end of its last; in microseconds."""
    if any(one["latency_ms"] is None for one in attempts):
        return None
    if attempts[0]["trace_id"] is None:
        return round(attempts[0]["latency_ms"] * 1000)
    dated = [one for one in attempts if one["started_at"] is not None]
    if dated:
        starts = [one["started_at"] for one in dated]
    else:
        dated = [one for one in attempts if one["replay_offset_ms"] is not None]
        starts = [EPOCH + timedelta(milliseconds=one["replay_offset_ms"]) for one in dated]
    pairs = zip(starts, dated, strict=True)
    ends = [start + timedelta(microseconds=round(one["latency_ms"] * 1000)) for start, one in pairs]
    return (max(ends) - min(starts)) // timedelta(microseconds=1) if starts else None


def first(times: list[Any]) -> Any:
    """The earliest of the known times."""
    return min((one for one in times if one is not None), default=None)


def pico(usd: Decimal | None) -> int:
    """Dollars as whole picodollars; unknown is 0."""
    amount = Fraction(usd or 0) * PICO
    assert amount.denominator == 1
    return int(amount)


def unknown_last(value: Any) -> tuple[Any, ...]:
    """A key for sorting."""
    return LAST if value is None else (0, value)


def reads(call: Call, field: str) -> Any:
    """A field of a condition or of a cache's scope, None where it is unknown."""
    if field not in PACKED:
        return call.row[field]
    packed = call.row["text_signals"]
    if packed is None:
        return None
    for name, bits in PACKED.items():
        if name == field:
            break
        packed >>= bits
    value = packed % 2 ** PACKED[field]
    return bool(value) if field in terms.BOOLEANS else value


def holds(when: Any, call: Call) -> bool:
    """Whether a condition holds; what is unknown fulfils none."""
    match when:
        case terms.All(parts):
            return all(holds(part, call) for part in parts)
        case terms.Any_(parts):
            return any(holds(part, call) for part in parts)
        case terms.Not(part):
            return not holds(part, call)
        case terms.Is(field, wanted):
            return bool(reads(call, field)) is wanted  # unknown is false, as in the tier rules
        case terms.OneOf(field, texts):
            found = reads(call, field)
            return found is not None and any(matches(found, text) for text in texts)
        case terms.Compare(field, operator, limit):
            found = reads(call, field)
            return found is not None and compares(Fraction(found), operator, Fraction(limit))
    raise AssertionError(when)


def matches(found: str, text: str) -> bool:
    """Whether a text is the wanted one, or begins as it says."""
    return found[: len(text) - 1] == text[:-1] if text.endswith("*") else found == text


def compares(found: Fraction, operator: str, limit: Fraction) -> bool:
    """Whether two numbers stand in a relation."""
    sign = (found > limit) - (found < limit)
    return sign in {">": {1}, "<": {-1}, "=": {0}, ">=": {0, 1}, "<=": {-1, 0}}[operator]


def cacheable(call: Call, cache: Cache, *, is_opening: bool, keeps_personal: bool = False) -> bool:
    """Whether the exact cache may look this call up and keep its answer, whatever its temperature."""
    row = call.row
    if row["prompt_key"] is None or (reads(call, "contains_personal_data") and not keeps_personal):
        return False
    if row["session_id"] is not None and not is_opening and row["turn_count"] is not None and row["turn_count"] <= 1:
        return False  # a later turn that shows nothing of the earlier ones
    for entry in cache.exclude:
        field, _, text = entry.partition(":")
        if text and (found := reads(call, field)) is not None and matches(found, text):
            return False
    return True
