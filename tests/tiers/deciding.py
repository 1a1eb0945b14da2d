"""Texts and bare numbers through the tier rules, for the tests beside this file."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from costctl.tiers.rules import TierRules, load_rules

REQUEST: dict[str, Any] = {
    "input_tokens": pl.Int64, "output_tokens": pl.Int64, "endpoint": pl.String, "tool_count": pl.Int64,
    "request_model": pl.String, "has_image": pl.Boolean, "turn_count": pl.Int64, "response_format": pl.String,
    "system_chars": pl.Int64, "app": pl.String,
}  # fmt: skip
SHARED = Path(__file__).resolve().parents[2] / "../shared"


@cache
def shipped() -> TierRules:
    return load_rules()


def features(*texts: str) -> list[dict[str, Any]]:
    return shipped().features(pl.Series("text", texts, dtype=pl.String)).to_dicts()


def decided(texts: list[str], rules: TierRules | None = None, **request: Any) -> pl.DataFrame:
    """tier, intent and tier_reason of each text; `request` holds for all of them."""
    rules = rules or shipped()
    rows = rules.features(pl.Series("text", texts, dtype=pl.String))
    rows = rows.with_columns(pl.lit(request.get(name), dtype=kind).alias(name) for name, kind in REQUEST.items())
    return rules.classify(rows)


def one(text: str, rules: TierRules | None = None, **request: Any) -> tuple[str, str, str]:
    return decided([text], rules, **request).row(0)


def bare(rules: TierRules | None = None, **request: Any) -> tuple[str, str | None, str]:
    """The decision about a request whose text the log does not hold."""
    rules = rules or shipped()
    unknown = rules.features(pl.Series("text", [""])).clear(1)
    rows = unknown.with_columns(pl.lit(request.get(name), dtype=kind).alias(name) for name, kind in REQUEST.items())
    return rules.classify(rows).row(0)


def wrong(texts: list[str], tier: str) -> list[tuple[str, str, str]]:
    """The texts that are not of this tier, with what was decided and why."""
    found = decided(texts)
    return [
        (text, got, reason)
        for text, got, reason in zip(texts, found["tier"], found["tier_reason"], strict=True)
        if got != tier
    ]
