"""The tier rules: cues and thresholds from YAML, applied to whole columns at once.

Texts are folded to lower-case words between single blanks, so that one Aho-Corasick pass finds
every cue: a word cue is " cue ", a stem is " stem".
"""

from __future__ import annotations

import hashlib
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from costctl.errors import CostctlError

TIERS = ("A", "B", "C")
KEYS = {"version", "intents", "signals", "thresholds"}
INTENT_KEYS = {"name", "tier", "alone", "max_words", "cues"}
SIGNALS = ("criticality", "constraints", "chilean", "spanish", "english")
FEATURES: dict[str, Any] = {
    "language": pl.String, "register": pl.String, "intent": pl.String, "intent_cue": pl.String, "intent_tier": pl.String,
    "word_count": pl.Int64, "number_count": pl.Int64, "constraint_count": pl.Int64, "criticality_count": pl.Int64,
    "travel_days": pl.Int64, "has_code": pl.Boolean, "is_question_of_sum": pl.Boolean,
}  # fmt: skip
_FOLD = dict(zip("áéíóúüàèìòùâêîôûäëïö", "aeiouuaeiouaeiouaeio", strict=True))
DEFAULT = Path(__file__).with_name("rules.yaml")


class TierRules:
    """Rules ready to be applied; plain data, so that worker processes can be handed them."""

    def __init__(self, content: dict[str, Any], digest: str) -> None:
        self.digest = digest
        self._intents: list[dict[str, Any]] = content["intents"]
        self._signals: dict[str, list[str]] = content["signals"]
        self._limits: dict[str, int] = content["thresholds"]
        groups = [("intent", rank, cue) for rank, intent in enumerate(self._intents) for cue in intent["cues"]]
        groups += [(name, 0, cue) for name in SIGNALS for cue in self._signals.get(name, [])]
        self._cues = [(kind, rank, str(cue), _pattern(str(cue))) for kind, rank, cue in groups]

    def describe(self) -> list[tuple[str, str, str]]:
        """Intent, tier and first cues, for people."""
        return [(item["name"], item["tier"], ", ".join(map(str, item["cues"][:6]))) for item in self._intents]

    def features(self, texts: pl.Series) -> pl.DataFrame:
        """One row of features per text, in order."""
        if not len(texts):
            return pl.DataFrame(schema=FEATURES)
        frame = pl.DataFrame({"raw": texts}).with_columns(_words(pl.col("raw")).alias("text"))
        frame = frame.with_columns(
            (pl.col("text").str.count_matches(" ") - 1).clip(lower_bound=0).cast(pl.Int64).alias("word_count"),
            pl.col("raw").str.count_matches(r"\d+(?:[.,]\d+)*").cast(pl.Int64).alias("number_count"),
            pl.col("raw")
            .str.contains(r"```|\bdef \w+\(|=>|\bfunction\b|;\s*\n|</?\w+>|\bSELECT\b.+\bFROM\b")
            .alias("has_code"),
            pl.col("text")
            .str.extract(r" (\d{1,2}) (?:dias|days|noches|nights) ", 1)
            .cast(pl.Int64, strict=False)
            .alias("travel_days"),
            pl.col("raw")
            .str.contains(r"(?i)\b(?:cu[aá]nt[oa]s?|how (?:many|much|long|old|far))\b")
            .alias("is_question_of_sum"),
        )
        hits = self._hits(frame["text"])
        frame = frame.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
        frame = frame.join(self._counted(hits), on="row", how="left", maintain_order="left")
        frame = frame.join(self._chosen(hits, frame), on="row", how="left", maintain_order="left")
        spanish = pl.col("spanish").fill_null(0) + 3 * pl.col("raw").str.contains(r"[ñ¿¡áéíóúÁÉÍÓÚ]").cast(pl.Int64)
        english = pl.col("english").fill_null(0)
        language = (
            pl.when(spanish > english)
            .then(pl.lit("es"))
            .when(english > 0)
            .then(pl.lit("en"))
            .otherwise(pl.lit("other"))
        )
        return frame.with_columns(
            language.alias("language"),
            pl.when((pl.col("chilean").fill_null(0) > 0) & (spanish >= english))
            .then(pl.lit("es-CL"))
            .alias("register"),
            pl.col("constraints").fill_null(0).alias("constraint_count"),
            pl.col("criticality").fill_null(0).alias("criticality_count"),
        ).select(pl.col(name).cast(kind) for name, kind in FEATURES.items())

    def _hits(self, texts: pl.Series) -> pl.DataFrame:
        """(row, kind, rank, cue) of every cue found."""
        patterns = sorted({pattern for _, _, _, pattern in self._cues})
        found = texts.str.extract_many(patterns, overlapping=True)
        frame = (
            pl.DataFrame({"row": pl.arange(0, len(texts), eager=True), "pattern": found})
            .explode("pattern")
            .drop_nulls("pattern")
            .unique()
        )
        cues = pl.DataFrame(
            self._cues,
            schema={"kind": pl.String, "rank": pl.Int64, "cue": pl.String, "pattern": pl.String},
            orient="row",
        )
        return frame.join(cues, on="pattern", how="inner")

    def _counted(self, hits: pl.DataFrame) -> pl.DataFrame:
        return hits.group_by("row").agg((pl.col("kind") == name).sum().cast(pl.Int64).alias(name) for name in SIGNALS)

    def _chosen(self, hits: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
        """The first intent that holds, with its longest cue."""
        facts = pl.DataFrame(
            {
                "rank": list(range(len(self._intents))),
                "intent": [item["name"] for item in self._intents],
                "intent_tier": [item["tier"] for item in self._intents],
                "alone": [bool(item.get("alone")) for item in self._intents],
                "max_words": [int(item.get("max_words", 10**6)) for item in self._intents],
            }
        )
        found = (
            hits.filter(pl.col("kind") == "intent")
            .join(facts, on="rank")
            .join(frame.select("row", "text", "word_count"), on="row")
        )
        left = (
            found.filter("alone")
            .group_by("row", "text")
            .agg(pl.col("cue").unique())
            .select("row", self._remains(pl.col("text")).alias("remains"))
        )
        found = found.join(left, on="row", how="left").filter(
            (~pl.col("alone") | (pl.col("remains") == "")) & (pl.col("word_count") <= pl.col("max_words"))
        )
        return (
            found.sort("row", "rank", pl.col("cue").str.len_chars(), "cue", descending=[False, False, True, False])
            .group_by("row", maintain_order=True).first().select("row", "intent", "intent_tier", pl.col("cue").alias("intent_cue"))
        )  # fmt: skip

    def _remains(self, text: pl.Expr) -> pl.Expr:
        """What is left of a message without greetings, confirmations and small words."""
        alone = [_words_of(str(cue)) for item in self._intents if item.get("alone") for cue in item["cues"]]
        small = ["po", "por", "favor", "porfa", "porfavor", "please", "muy", "so", "very", "a", "todos", "all", "y", "and", "el", "la", "que",
                 "much", "everyone", "there", "te", "lo", "les", "por", "todo", "for", "everything", "de", "nuevo", "again", "your", "help", "tu",
                 "su", "ayuda", "ayudar", "equipo", "team", "amigo", "amiga", "friend", "is", "it", "that", "s", "oye", "ah", "oh", "jaja", "jajaja", "haha"]  # fmt: skip
        words = sorted({*alone, *small}, key=lambda word: (-len(word), word))
        # Blanks are doubled first, so that neighbours do not share one.
        doubled = text.str.replace_all(" ", "  ")
        pattern = "(?: (?:" + "|".join(word.replace(" ", "  ") for word in words) + ") )"
        return doubled.str.replace_all(pattern, "").str.strip_chars()

    def classify(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Tier, intent and reason of each row, from its features or, without text, its numbers."""
        limit = self._limits
        text = pl.col("word_count").is_not_null()
        critical = pl.col("criticality_count") > 0
        code = pl.col("has_code") & (pl.col("word_count") > 5)
        short_ask = pl.col("intent_tier") == "A"
        problem = (pl.col("number_count") >= limit["many_numbers"]) | (
            pl.col("is_question_of_sum") & (pl.col("number_count") >= 1)
        )
        word_problem = (
            problem & (pl.col("word_count") >= 14) & ~pl.col("intent").is_in(["extraction", "reformat", "rephrase"])
        )
        alone = pl.col("intent").is_in([item["name"] for item in self._intents if item.get("alone")])
        cue = pl.col("intent") + ": " + pl.col("intent_cue")
        cases: list[tuple[pl.Expr, str | None, pl.Expr]] = [
            (text & alone, "A", cue),
            (text & pl.col("has_image").fill_null(False), "C", pl.lit("image")),
            (text & code, "C", pl.lit("code in the message")),
            (text & (pl.col("intent") == "itinerary_short") & (pl.col("travel_days") > 2), "C", pl.lit("itinerary over two days")),
            (text & (pl.col("constraint_count") >= limit["many_constraints"]), "C", pl.lit("many constraints")),
            (text & word_problem, "C", pl.lit("word problem with numbers")),
            (text & critical & (pl.col("word_count") > limit["long_message_words"]), "C", pl.lit("long and critical")),
            (text & short_ask & (pl.col("word_count") > limit["long_message_words"] * 2), "C", pl.lit("long message")),
            (text & pl.col("intent").is_not_null(), None, cue),
            (text & critical, "B", pl.lit("sale or contract")),
            (text & (pl.col("word_count") > limit["long_message_words"]), "C", pl.lit("long message")),
            (text & (pl.col("word_count") > limit["short_message_words"]), "B", pl.lit("no cue, longer message")),
            (text & (pl.col("word_count") <= 4), "A", pl.lit("no cue, a few words")),
            (text, "B", pl.lit("no cue, short message")),
            (pl.col("input_tokens") >= limit["long_input_tokens"], "C", pl.lit("no text: long input")),
            ((pl.col("input_tokens") <= limit["simple_input_tokens"]) & (pl.col("output_tokens").fill_null(0) <= limit["simple_output_tokens"]), "A", pl.lit("no text: short input and output")),
            (pl.col("input_tokens").is_not_null(), "B", pl.lit("no text: medium input or output")),
        ]  # fmt: skip
        tier, reason = pl.lit("B"), pl.lit("no text and no token counts")
        for condition, name, why in reversed(cases):
            tier = pl.when(condition).then(pl.col("intent_tier") if name is None else pl.lit(name)).otherwise(tier)
            reason = pl.when(condition).then(why).otherwise(reason)
        long_case = (pl.col("intent") == "itinerary_short") & (pl.col("travel_days") > 2)
        intent = (
            pl.when(long_case)
            .then(pl.lit("itinerary_long"))
            .otherwise(pl.coalesce("intent", pl.when(text).then(pl.lit("other"))))
        )
        return rows.select(tier.alias("tier"), intent.alias("intent"), reason.alias("tier_reason"))


def _words_of(cue: str) -> str:
    return pl.select(_words(pl.lit(cue))).item().strip()


def _words(text: pl.Expr) -> pl.Expr:
    folded = text.str.to_lowercase().str.replace_many(list(_FOLD), list(_FOLD.values()))
    return pl.lit(" ") + folded.str.replace_all(r"[^\p{L}\p{N}%$]+", " ").str.strip_chars() + pl.lit(" ")


def _pattern(cue: str) -> str:
    is_stem = cue.endswith("*")
    return f" {_words_of(cue.removesuffix('*'))}" + ("" if is_stem else " ")


def load_rules(path: Path | None = None) -> TierRules:
    """The shipped rules, or the user's own file on top of them (`--tier-rules`).

    An own file may hold `intents` (put before the shipped ones), `signals` and `thresholds`.

    Raises:
        CostctlError: E310 when it cannot be read, E311 for an unknown key or tier.
    """
    content = yaml.safe_load(DEFAULT.read_text("utf-8"))
    digest = hashlib.sha256(DEFAULT.read_bytes())
    if path is not None:
        own = _own(path)
        digest.update(path.read_bytes())
        names = {item["name"] for item in own.get("intents", [])}
        kept = [item for item in content["intents"] if item["name"] not in names]
        content = {
            "intents": [*own.get("intents", []), *kept],
            "signals": {**content["signals"], **own.get("signals", {})},
            "thresholds": {**content["thresholds"], **own.get("thresholds", {})},
        }
    return TierRules(content, digest.hexdigest())


def _own(path: Path) -> dict[str, Any]:
    try:
        own = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise CostctlError("E310", f"cannot read tier rules: {path}", str(error).splitlines()[0]) from error
    if not isinstance(own, dict):
        raise CostctlError("E310", f"tier rules in {path} are not a mapping", f"keys: {', '.join(sorted(KEYS))}")
    shipped = yaml.safe_load(DEFAULT.read_text("utf-8"))
    faults = [_unknown("", key, KEYS) for key in own if key not in KEYS]
    faults += [_unknown("signals.", key, set(SIGNALS)) for key in own.get("signals", {}) if key not in SIGNALS]
    faults += [
        _unknown("thresholds.", key, set(shipped["thresholds"]))
        for key in own.get("thresholds", {})
        if key not in shipped["thresholds"]
    ]
    for number, item in enumerate(own.get("intents", [])):
        faults += [_unknown(f"intents[{number}].", key, INTENT_KEYS) for key in item if key not in INTENT_KEYS]
        if item.get("tier") not in TIERS or not item.get("name") or not item.get("cues"):
            faults.append(f"intents[{number}]: needs name, tier (A, B or C) and cues")
    if faults:
        raise CostctlError(
            "E311",
            f"{path}: {'; '.join(faults)}",
            f"keys of an intent: {', '.join(sorted(INTENT_KEYS))}",
        )
    return own


def _unknown(place: str, key: str, known: set[str]) -> str:
    near = get_close_matches(str(key), known, n=1)
    return f"unknown key {place}{key}" + (f", did you mean {near[0]}?" if near else "")
