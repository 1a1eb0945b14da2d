"""What the amounts of a policy mean: shares that must fit, thresholds and times that must not exclude each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from costctl.policy import units
from costctl.policy.places import keys_below, places_of
from costctl.policy.source import Place

T = TypeVar("T")

WAIT_MAX_US = units.US_OF["d"]
PLACES_MAX = 10**6
FULL_LOAD_MAX_USD = 10_000
TOKENS_PER_S_MIN = Decimal("0.01")


def faults_of_amounts(values: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """Every fault, with its place."""
    for check in (_shares, _arms, _thresholds, _seasons, _summaries, _switch, _waits, _engines):
        yield from check(values)


def _amount(read: Callable[[Any], T], value: Any) -> T | None:
    try:
        return read(value)
    except ValueError:
        return None


def _total(values: Iterable[Any]) -> Decimal | None:
    """The sum of shares, None where one of them is no share."""
    shares = [_amount(units.share, one) for one in values]
    return None if None in shares else sum((one for one in shares if one is not None), Decimal(0))


def _percent(share: Decimal) -> str:
    text = f"{share * 100:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + "%"


def _shares(values: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """With a cap on every tier and less than 100% in all, some requests may go nowhere."""
    for at, caps in places_of(values, "budgets.max_share_per_day"):
        tiers = keys_below(values, "tiers")
        if not isinstance(caps, dict) or not tiers or keys_below(values, "specialists") or not set(tiers) <= set(caps):
            continue
        total = _total(caps.values())
        if total is not None and total < 1:
            yield at, f"leaves {_percent(1 - total)} of the requests no tier; let one tier without a cap"


def _arms(values: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    for at, arms in places_of(values, "experiments.*.arms"):
        if not isinstance(arms, dict):
            continue
        total = _total(arm.get("share") if isinstance(arm, dict) else arm for arm in arms.values())
        if total is not None and abs(total - 1) > len(arms) * Decimal(1).scaleb(-units.DECIMALS):  # as rounded
            yield at, f"the shares of the arms sum to {_percent(total)}, not to 100%"


def _thresholds(values: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    for at, cache in places_of(values, "cache.semantic"):
        if not isinstance(cache, dict):
            continue
        serve, refresh = (
            _amount(units.threshold, cache.get("serve_min")),
            _amount(units.share, cache.get("refresh_min")),
        )
        serves_nothing = serve is not None and serve > 1 and "refresh_min" not in cache
        if "ttl" not in cache and not serves_nothing:
            yield (*at, "ttl"), "is missing"
        if serve is not None and refresh is not None and refresh > serve:
            yield (*at, "refresh_min"), f"must not be above serve_min ({_percent(serve)})"
        if refresh is not None and "refresh_tier" not in cache:
            yield (*at, "refresh_tier"), "is missing; refresh_min says when it is asked"
        if "refresh_tier" in cache and "refresh_min" not in cache:
            yield (*at, "refresh_tier"), "has no effect without refresh_min"


def _summaries(values: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    for at, context in places_of(values, "context"):
        if not isinstance(context, dict):
            continue
        if "summarise_over" in context and "summariser" not in context:
            yield (*at, "summariser"), "is missing; it says which tier writes the summaries"
        if "summariser" in context and "summarise_over" not in context:
            yield (*at, "summariser"), "has no effect without summarise_over"


def _seasons(values: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    for at, seasons in places_of(values, "cache.semantic.ttl"):
        named: set[Any] = set()
        is_closed = False
        for number, season in enumerate(seasons if isinstance(seasons, tuple) else ()):
            if not isinstance(season, dict):
                continue
            months = season.get("months")
            own = {one for one in months if isinstance(one, int)} if isinstance(months, tuple) else set()
            if is_closed:
                yield (*at, number), "is never used; the entry for all other months comes last"
            elif own & named:
                yield (*at, number, "months"), "names a month of an earlier entry"
            named |= own
            is_closed = is_closed or "months" not in season
        if isinstance(seasons, tuple) and seasons and not is_closed and len(named) < 12:
            yield at, "says nothing of the other months; add an entry without months"


def _switch(values: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """In a window of no time nothing fails, and for no time nothing is out."""
    for key in ("window", "cooldown"):
        for at, value in places_of(values, f"kill_switch.{key}"):
            if _amount(units.duration_us, value) == 0:
                yield at, "must be above 0, else no provider is ever out; such as 15m"


def _waits(values: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """The wait before a retry doubles each time, and the last one must end."""
    for at, retries in places_of(values, "retries"):
        if not isinstance(retries, dict):
            continue
        most = _amount(units.retries, retries.get("max"))
        first_us = _amount(units.seconds_us, retries.get("backoff_s"))
        if most and first_us and first_us << (most - 1) > WAIT_MAX_US:
            fits = next((count for count in range(most, 0, -1) if first_us << (count - 1) <= WAIT_MAX_US), 0)
            remedy = f"max may be {fits} with this backoff_s" if fits else "write a shorter backoff_s"
            yield (*at, "backoff_s"), f"doubles before each retry, to more than a day before the last one; {remedy}"


def _engines(values: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """What an engine costs an hour and writes a second, taken together."""
    for at, engine in places_of(values, "self_hosted.*"):
        if not isinstance(engine, dict):
            continue
        count, places = (_amount(units.count_of_one, engine.get(key, 1)) for key in ("count", "max_num_seqs"))
        speed = _amount(units.speed, engine.get("tokens_per_s"))
        hourly = _amount(units.usd, engine.get("usd_per_hour"))
        if count and hourly and hourly * count > FULL_LOAD_MAX_USD:
            yield (*at, "usd_per_hour"), f"is over ${FULL_LOAD_MAX_USD:,} an hour for all of `count`"
        elif speed and hourly and hourly > speed * 3_600:
            yield (*at, "usd_per_hour"), "is over $1 a token at tokens_per_s"
        if count and places and count * places > PLACES_MAX:
            yield (*at, "max_num_seqs"), f"is over {PLACES_MAX:,} places, times `count`"
        elif speed and places and speed < TOKENS_PER_S_MIN * places:
            yield (*at, "tokens_per_s"), f"is under {TOKENS_PER_S_MIN} tokens a second for each of max_num_seqs"
