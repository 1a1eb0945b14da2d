"""Write `pricing/base/` from the installed genai-prices package (MIT licence).

Run as `python -m costctl.prices.generate [FOLDER]`. One file per provider, one model per line.
Conditional prices, request variants and context tiers become disjoint rates, so that a request
meets at most one rate of its service tier.
"""

from __future__ import annotations

import sys
from datetime import date, time
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson

MINUTES = 24 * 60
# The unit of genai-prices -> ours; units that no log format carries are left out.
UNITS = {
    "input_mtok": "input", "output_mtok": "output", "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write_5m", "cache_write_1h_mtok": "cache_write_1h",
    "output_reasoning_mtok": "reasoning", "input_audio_mtok": "input_audio",
    "output_audio_mtok": "output_audio", "cache_audio_read_mtok": "cache_read_audio",
    "input_image_mtok": "input_image", "output_image_mtok": "output_image",
    "web_searches_kcount": "web_search_1k", "requests_kcount": "request_1k",
}  # fmt: skip
TIERS = {
    ("processing", "batch"): "batch", ("service_tier", "flex"): "flex", ("service_tier", "priority"): "priority",
    ("service_tier", "fast"): "fast", ("speed", "fast"): "fast",
}  # fmt: skip


def write_base(folder: Path) -> int:
    """Write all provider files; returns the number of models."""
    from genai_prices import data  # noqa: PLC0415  (an optional package, only for this command)

    folder.mkdir(parents=True, exist_ok=True)
    source = f"genai-prices {version('genai-prices')}"
    count = 0
    for provider in sorted(data.providers, key=lambda item: item.id):
        head = {
            "provider": provider.id, "name": provider.name, "source": source,
            "pricing_url": next(iter(provider.pricing_urls or ()), None),
            "provider_match": _clause(provider.provider_match), "model_match": _clause(provider.model_match),
            "fallback": provider.fallback_model_providers or [],
        }  # fmt: skip
        lines = [orjson.dumps(head)]
        for model in sorted(provider.models, key=lambda item: item.id):
            lines.append(orjson.dumps(_model(model)))
            count += 1
        (folder / f"{provider.id}.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    return count


def _model(model: Any) -> dict[str, Any]:
    line = {
        "id": model.id,
        "name": model.name,
        "match": _clause(model.match),
        "rates": _rates(model),
    }
    if model.context_window:
        line["context_window_tokens"] = model.context_window
    if model.deprecated:
        line["deprecated"] = True
    return line


def _clause(clause: Any) -> Any:
    """A match clause as {kind: text} or {"or"|"and": [...]}."""
    if clause is None:
        return None
    ((name, value),) = vars(clause).items()
    if name in {"or_", "and_"}:
        return {name[:-1]: [_clause(item) for item in value]}
    return {name: value}


def _rates(model: Any) -> list[dict[str, Any]]:
    conditions = model.prices if isinstance(model.prices, list) else [_Always(model.prices)]
    variants = model.price_variants or []
    days = sorted({d for item in (*conditions, *variants) if (d := _start(item.constraint))})
    minutes = sorted({0, MINUTES, *(m for item in conditions for m in _window(item.constraint))})
    rates: list[dict[str, Any]] = []
    for since, until in pairwise([None, *days, None]):
        for first, last in pairwise(minutes):
            standard = _active(conditions, since, first)
            for tier in ("standard", *sorted(set(TIERS.values()))):
                prices = _units(standard)
                overrides = _overrides(variants, tier, since)
                if tier != "standard":
                    if not overrides:
                        continue
                    prices = {**prices, **overrides}
                rates.extend(_bands(prices, since, until, (first, last), tier))
    return _merged(rates)


class _Always:
    def __init__(self, prices: Any) -> None:
        self.prices, self.constraint = prices, None


def _start(constraint: Any) -> date | None:
    return getattr(constraint, "start_date", None)


def _minute(value: time) -> int:
    return value.hour * 60 + value.minute


def _window(constraint: Any) -> tuple[int, ...]:
    if not hasattr(constraint, "start_time"):
        return ()
    return _minute(constraint.start_time), _minute(constraint.end_time)


def _active(conditions: list[Any], since: date | None, minute: int) -> Any:
    for item in reversed(conditions):
        constraint = item.constraint
        if constraint is None:
            return item.prices
        start = _start(constraint)
        if start is not None:
            if since is not None and since >= start:
                return item.prices
            continue
        first, last = _window(constraint)
        inside = first <= minute < last if first <= last else minute >= first or minute < last
        if inside:
            return item.prices
    return conditions[0].prices


def _overrides(variants: list[Any], tier: str, since: date | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for variant in variants:
        if len(variant.when) != 1 or TIERS.get(next(iter(variant.when.items()))) != tier:
            continue
        start = _start(variant.constraint)
        if start is None or (since is not None and since >= start):
            for unit, price in _units(variant.prices).items():
                found.setdefault(unit, price)
    return found


def _units(prices: Any) -> dict[str, Any]:
    return {UNITS[key]: value for key, value in vars(prices).items() if key in UNITS and value is not None}


def _bands(
    prices: dict[str, Any],
    since: date | None,
    until: date | None,
    window: tuple[int, int],
    tier: str,
) -> list[dict[str, Any]]:
    starts = sorted(
        {
            0,
            *(step.start for price in prices.values() if hasattr(price, "tiers") for step in price.tiers),
        }
    )
    rates: list[dict[str, Any]] = []
    for over, upto in pairwise([*starts, None]):
        rate: dict[str, Any] = {}
        if since:
            rate["from"] = since.isoformat()
        if until:
            rate["to"] = until.isoformat()
        if window != (0, MINUTES):
            rate["window"] = list(window)
        if tier != "standard":
            rate["tier"] = tier
        if over:
            rate["over"] = over
        if upto:
            rate["upto"] = upto
        rate.update((unit, f"{_at(price, over or 0):f}") for unit, price in sorted(prices.items()))
        rates.append(rate)
    return rates


def _at(price: Any, over: int) -> Any:
    if not hasattr(price, "tiers"):
        return price
    return next((step.price for step in reversed(price.tiers) if over >= step.start), price.base)


def _merged(rates: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Neighbouring periods with equal prices as one."""
    merged: list[dict[str, Any]] = []
    for rate in rates:
        body = {key: value for key, value in rate.items() if key not in {"from", "to"}}
        for earlier in merged:
            same = {key: value for key, value in earlier.items() if key not in {"from", "to"}} == body
            if same and earlier.get("to") is not None and earlier["to"] == rate.get("from"):
                earlier.pop("to")
                if "to" in rate:
                    earlier["to"] = rate["to"]
                break
        else:
            merged.append(rate)
    return merged


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2] / "pricing" / "base"
    sys.stdout.write(f"{write_base(target)} models written to {target.name}\n")
