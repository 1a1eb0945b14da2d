"""From features to tiers: the rules of the content as Polars expressions."""

from __future__ import annotations

import re
from typing import Any

import polars as pl

from costctl.tiers.content import Content
from costctl.tiers.fields import BOOLEANS, NUMBERS
from costctl.tiers.schema import COMPARISON, TIERS

_NUMBER_OF = {tier: number for number, tier in enumerate(TIERS)}


class Decider:
    """The rules of one content as expressions, built once."""

    def __init__(self, content: Content) -> None:
        rules = content.rules
        # The index of the first rule that holds; without any, a row is of the middle tier.
        self._first = pl.coalesce(
            *(pl.when(_holds(rule.when, content)).then(pl.lit(n, pl.Int32)) for n, rule in enumerate(rules)),
            pl.lit(len(rules), pl.Int32),
        )
        self._facts = pl.DataFrame(
            {
                "rule": [*(rule.name for rule in rules), "no rule"],
                "said": [*(rule.tier for rule in rules), "B"],
                "renamed": [*(rule.intent for rule in rules), None],
            },
            schema={"rule": pl.String, "said": pl.String, "renamed": pl.String},
        )
        self._base = (
            pl.when(pl.col("said") == "score").then(_scored(content))
            .when(pl.col("said") == "intent").then(pl.coalesce("intent_tier", pl.lit("B")))
            .otherwise("said").replace_strict(_NUMBER_OF, return_dtype=pl.Int32)
        )  # fmt: skip
        self._floors = [(floor, _holds(floor.when, content)) for floor in content.floors]

    def decide(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Tier, intent and reason of each row: the first rule that holds, raised by the floors.

        The reason is the name of the rule, and the cue where the intent decided; never user text.
        """
        rows = rows.with_columns(pl.col("word_count").is_not_null().alias("has_text"))
        rows = rows.with_columns(self._facts[rows.select(self._first.alias("first"))["first"]].get_columns())
        by_intent = (pl.col("said") == "intent") & pl.col("intent").is_not_null()
        cue = pl.format("{}: {}", "intent", "intent_cue")
        rows = rows.with_columns(
            self._base.alias("level"), pl.when(by_intent).then(cue).otherwise("rule").alias("reason")
        )
        for floor, holds in self._floors:
            least = _NUMBER_OF[floor.at_least]
            raised = holds & (pl.col("level") < least)
            why = pl.concat_str("reason", pl.lit(f"; at least {floor.at_least}: {floor.name}"))
            rows = rows.with_columns(
                pl.when(raised).then(least).otherwise("level").cast(pl.Int32).alias("level"),
                pl.when(raised).then(why).otherwise("reason").alias("reason"),
            )
        return rows.select(
            pl.col("level")
            .replace_strict(list(_NUMBER_OF.values()), list(_NUMBER_OF), return_dtype=pl.String)
            .alias("tier"),
            pl.coalesce("renamed", "intent", pl.when("has_text").then(pl.lit("other"))).alias("intent"),
            pl.col("reason").alias("tier_reason"),
        )


def _scored(content: Content) -> pl.Expr:
    """The tier of the weighted sum; a signal that is unknown weighs nothing."""
    total = pl.lit(0.0)
    for name, weight in content.weights.items():
        total = total + pl.col(name).cast(pl.Float64).fill_null(0) * weight
    tier: pl.Expr = pl.lit("A")
    for name in TIERS[1:]:
        if name in content.score_from:
            tier = pl.when(total >= content.score_from[name]).then(pl.lit(name)).otherwise(tier)
    return tier


def _holds(when: dict[str, Any], content: Content) -> pl.Expr:
    """All conditions of a `when`; an unknown value fulfils none."""
    return pl.all_horizontal(pl.lit(value=True), *(_condition(name, wanted, content) for name, wanted in when.items()))


def _condition(name: str, wanted: Any, content: Content) -> pl.Expr:
    if name == "any":
        return pl.any_horizontal(pl.lit(value=False), *(_holds(one, content) for one in wanted))
    if name in BOOLEANS:
        said = pl.col(name).fill_null(value=False)
        return said if wanted else ~said
    if name in NUMBERS:
        return _compared(pl.col(name), wanted, content.thresholds).fill_null(value=False)
    return _text(pl.col(name), wanted if isinstance(wanted, list) else [wanted])


def _compared(column: pl.Expr, wanted: int | str, thresholds: dict[str, int]) -> pl.Expr:
    if isinstance(wanted, int):
        return column == wanted
    found = COMPARISON.fullmatch(wanted)
    assert found is not None, wanted
    limit = int(found[2]) if found[2].isdigit() else thresholds[found[2]]
    held: dict[str, pl.Expr] = {
        ">=": column >= limit, "<=": column <= limit, ">": column > limit, "<": column < limit, "=": column == limit,
    }  # fmt: skip
    return held[found[1]]


def _text(column: pl.Expr, wanted: list[str]) -> pl.Expr:
    """One of these texts; `*` stands for anything, whatever its case, an empty text for none at all."""
    exact = [one for one in wanted if one and "*" not in one]
    holds = [column.is_null()] if "" in wanted else []
    if "*" in wanted:
        holds.append(column.is_not_null())
    if exact:
        holds.append(column.is_in(exact).fill_null(value=False))
    starred = [".*".join(map(re.escape, one.split("*"))) for one in wanted if "*" in one and one != "*"]
    if starred:
        holds.append(column.str.contains(f"(?is)^(?:{'|'.join(starred)})$").fill_null(value=False))
    return pl.any_horizontal(pl.lit(value=False), *holds)
