"""From texts to features: folded words, one pass over all cues, a few regexes.

Texts are folded to lower-case words between single blanks, so that one Aho-Corasick pass finds
every cue: a word cue is " cue ", a stem is " stem".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl

from costctl.tiers.content import Content, Intent
from costctl.tiers.fields import COUNT_OF, FEATURES, PACKED

# Accents go (also where they are characters of their own), ñ stays, punctuation becomes a blank.
FOLD = {
    **dict(zip("áéíóúüàèìòùâêîôûäëïöãõ", "aeiouuaeiouaeiouaeioao", strict=True)),
    "n\u0303": "ñ", "\u0301": "", "\u0300": "", "\u0308": "", "\u0302": "",
    **dict.fromkeys(".,;:!?¡¿\"'`´()[]{}<>-_/\\|*#@&=+^~\n\r\t\u00a0’‘“”«»–—…•·", " "),
}  # fmt: skip
# Symbols that are neither letters nor numbers, such as emoji, and the blanks around them.
_GAPS = r"(?:[ \x00-\x1f]|[^\x00-\x7F\p{L}\p{N}]){2,}|[^\x00-\x7F\p{L}\p{N}]"
_STRETCHED = r"a{2}|i{2}|u{2}|y{2}|e{3}|o{3}|s{3}|h{3}|k{3}|l{3}|r{3}|n{3}"
SHORTER = {**dict.fromkeys("aiuy", 2), **dict.fromkeys("eoshklrn", 3)}

# Every alternative begins with its own letters, which keeps the search fast.
CODE = (
    r"```|\bdef \w+\(|\bfunction \w*\(|\) ?=>|\);[ \t]*\r?\n| = [^\n;]{1,80};[ \t]*\r?\n|#include ?<|console\.log\("
    r"|System\.out\.|Traceback \(most recent|<(?:div|span|script|html|body|table)\b"
)
# A query: each word at most so many characters after the one before, within one sentence.
QUERY_WORDS, QUERY_GAP = (r"\bselect\b", r"\bfrom\b", r"(?:\bwhere\b|\bjoin\b|;)"), 200
QUERY = f"(?i:{rf'[^.?!]{{1,{QUERY_GAP}}}'.join(QUERY_WORDS)})"
# Addresses, phone numbers, the Chilean RUT, card and account numbers: what must not be kept or shared.
# Apart, each begins with one kind of character, which keeps the search four times as fast as together.
PERSONAL = (
    r"@[\w-]+\.\w",
    r"\+[0-9][0-9 ().-]{7,}[0-9]",
    r"[0-9](?:\.[0-9]{3}\.[0-9]{3}-[0-9kK]|[0-9]{2}[ .-][0-9]{3}[ .-][0-9]{4}|[0-9]{3}(?:[ -][0-9]{4}){3}|[0-9]{14,}"
    r"|[0-9](?: [A-Z0-9]{4}){3})|9 ?[0-9]{4} ?[0-9]{4}",
)
NUMBER = r"[0-9]+(?:[.,:/][0-9]+)*"
DAYS = r" ([0-9]{1,3}) (?:dias?|days?|noches?|nights?) "
WEEKS = r" ([0-9]{1,2}) (?:semanas?|weeks?) "
_TABLE_ROW = r"(?m)^[^\n]*(?:\|[^\n]*\||\t[^\n]*\t|;[^\n]*;|,[^\n,]*,[^\n]*,)[^\n]*$"
CHOICE = r"(?m)^[ \t]*\(?[A-Ea-e][.):] ?\S"
ACCENTED = r"[ñ¿¡áéíóúÁÉÍÓÚÑ]"
# Frequent words of one language only, looked for in the beginning of a text.
HEAD_CHARS = 80
SPANISH = (
    r" (?:el|la|los|las|de|que|en|un|una|por|para|con|es|como|mi|su|del|al|lo|se|donde|cual|si|ya|te|esta|y|quiero"
    r"|tengo|puedo|hola|gracias|mis|va|hoy|todas|todos|alarma|cuando|dale) "
)
ENGLISH = (
    r" (?:the|of|and|to|in|is|you|for|it|on|with|that|what|how|my|i|are|do|can|an|at|be|this|where|was|have|if|please"
    r"|hello|thanks|your|from|about|when|does|will|need|want|not|or|up|help|card|order|account|set|show) "
)
_VOWELS = str.maketrans({vowel: f"[{vowel}{accented}]" for vowel, accented in zip("aeiou", "áéíóú", strict=True)})


_SCHEMA: dict[str, Any] = {name: getattr(pl, kind) for name, kind in FEATURES.items()}


def words(texts: pl.Series) -> pl.Series:
    """Texts as lower-case words between single blanks, one blank at each end."""
    folded = texts.str.to_lowercase().str.replace_many(list(FOLD), list(FOLD.values()))
    spaced = (" " + folded + " ").str.replace_all(_GAPS, " ")
    stretched = spaced.str.contains(_STRETCHED).fill_null(value=False).arg_true()
    if not len(stretched):
        return spaced
    shorter = spaced.gather(stretched)
    for letter, times in SHORTER.items():
        shorter = shorter.str.replace_all(f"{letter}{{{times},}}", letter)
    return spaced.scatter(stretched, shorter)


def fold(cues: Iterable[str]) -> dict[str, str]:
    """Cue as written -> what is looked for: " cue ", or " stem" for `stem*`."""
    written = list(dict.fromkeys(cues))
    folded = words(pl.Series("cue", written, dtype=pl.String)).to_list()
    return {cue: text[:-1] if cue.endswith("*") else text for cue, text in zip(written, folded, strict=True)}


class TextReader:
    """Finds cues and structure in texts; plain data, so that it can be pickled."""

    def __init__(self, content: Content) -> None:
        self._intents = content.intents
        self._cues = cue_table(content.intents)
        counted = [(name, group) for name in (*COUNT_OF, "chilean") for group in content.signals.get(name, ())]
        timed = [("days", days, cue) for days, cues in content.durations.items() for cue in cues]
        self._counted = _signal_table(
            [(name, number, cue) for number, (name, group) in enumerate(counted) for cue in group] + timed
        )
        said = {cue for intent in content.intents if not intent.alone for cue, _ in intent.cues}
        signals = sorted({name for intent in content.intents for name in (*intent.needs, *intent.bars)})
        self._company = _signal_table(
            [(name, number, cue) for number, name in enumerate(signals)
             for group in content.signals.get(name, ()) for cue in group]
        ).unique(["group", "pattern"], maintain_order=True)  # fmt: skip
        self._company_row = {name: number for number, name in enumerate(signals)}
        self._patterns = sorted({*fold(said).values(), *self._counted["pattern"], *self._company["pattern"]})
        alone = {cue for intent in content.intents if intent.alone for cue, _ in intent.cues}
        self._alone_patterns = sorted(fold(alone).values())
        self._alone = _only(fold([*alone, *content.fillers]).values())
        self._slot = slot_pattern([cue for group in content.signals.get("slots", ()) for cue in group])

    def features(self, texts: pl.Series) -> pl.DataFrame:
        """One row of `FEATURES` per text, in order."""
        if not len(texts):
            return pl.DataFrame(schema=_SCHEMA)
        text = words(texts)
        frame = pl.DataFrame({"raw": texts, "text": text}).with_row_index("row")
        frame = frame.with_columns(_form())
        hits = _hits(frame["row"], text, self._patterns)
        parts = (self._lines(texts), self._counts(hits), self._intent(text, frame["word_count"], hits))
        for part in parts:
            frame = frame.join(part, on="row", how="left", maintain_order="left")
        return _finished(frame)

    def _lines(self, texts: pl.Series) -> pl.DataFrame:
        """What only texts of several lines or with labels can show."""
        raw = pl.col("raw")
        rows = texts.str.contains(r"\n|: ").fill_null(value=False).arg_true()
        return pl.DataFrame({"row": rows, "raw": texts.gather(rows)}).select(
            "row",
            raw.str.count_matches(_TABLE_ROW).alias("table_rows"),
            raw.str.count_matches(CHOICE).alias("choice_count"),
            (raw.str.count_matches(self._slot) if self._slot else pl.lit(0)).alias("slot_count"),
        )

    def _counts(self, hits: pl.DataFrame) -> pl.DataFrame:
        """Distinct cues of each counted signal, and the longest duration."""
        found = hits.join(self._counted, on="pattern").unique(["row", "signal", "group"])
        is_days = pl.col("signal") == "days"
        return found.group_by("row").agg(
            *((pl.col("signal") == name).sum().alias(f"{name}_found") for name in (*COUNT_OF, "chilean")),
            pl.when(is_days).then(pl.col("group")).max().alias("worded_days"),
        )

    def _intent(self, text: pl.Series, word_count: pl.Series, hits: pl.DataFrame) -> pl.DataFrame:
        """The first intent that holds, with its longest cue; the user's own go first, then one that stands alone."""
        found = hits.join(self._cues.filter(~pl.col("alone")), on="pattern")
        found = found.filter(word_count.gather(found["row"]) <= found["max_words"])
        found = found.filter(self._in_company(len(text), found, hits))
        alone = text.str.contains(self._alone).fill_null(value=False).arg_true().alias("row")
        greeted = _hits(alone, text.gather(alone), self._alone_patterns)
        greeted = greeted.join(self._cues.filter("alone"), on="pattern")
        best = (
            pl.concat([found, greeted]).group_by("row")
            .agg(pl.col("order").filter("goes_first").min().alias("first_order"), pl.col("order").min())
        )  # fmt: skip
        order = best.select(pl.coalesce("first_order", "order"))["first_order"]
        chosen = self._cues.unique("order").sort("order").select("intent", "intent_tier", "intent_cue", "cue_language")
        return best.select("row").with_columns(chosen[order].get_columns())

    def _in_company(self, count: int, found: pl.DataFrame, hits: pl.DataFrame) -> pl.Series:
        """Which candidates keep to the `with` and `without` of their intent; `count` texts in all."""
        said = np.zeros((len(self._company_row), count), dtype=np.bool_)
        beside = hits.join(self._company, on="pattern")
        said[beside["group"].to_numpy(), beside["row"].to_numpy()] = True
        kept, rank, row = np.ones(found.height, dtype=np.bool_), found["rank"].to_numpy(), found["row"].to_numpy()
        for number, intent in enumerate(self._intents):
            if not intent.needs and not intent.bars:
                continue
            here = rank == number
            rows = row[here]
            needed, barred = ([self._company_row[name] for name in names] for names in (intent.needs, intent.bars))
            is_needed = said[:, rows][needed].any(axis=0) if needed else True
            kept[here] = is_needed & ~said[:, rows][barred].any(axis=0)
        return pl.Series(kept)


def cue_table(intents: tuple[Intent, ...]) -> pl.DataFrame:
    """One row per cue, `order` running from the first intent and its longest cue."""
    look = fold(cue for intent in intents for cue, _ in intent.cues)
    rows = [
        (
            look[cue],
            rank,
            intent.name,
            intent.tier,
            cue,
            language,
            intent.alone,
            intent.alone or intent.is_own,
            intent.max_words or 2**31 - 1,
        )
        for rank, intent in enumerate(intents)
        for cue, language in sorted(intent.cues, key=lambda pair: (-len(pair[0]), pair[0]))
    ]
    schema = {
        "pattern": pl.String, "rank": pl.Int64, "intent": pl.String, "intent_tier": pl.String, "intent_cue": pl.String,
        "cue_language": pl.String, "alone": pl.Boolean, "goes_first": pl.Boolean, "max_words": pl.Int64,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row").with_row_index("order")


def _signal_table(rows: list[tuple[str, int, str]]) -> pl.DataFrame:
    look = fold(cue for _, _, cue in rows)
    schema = {"signal": pl.String, "group": pl.Int64, "pattern": pl.String}
    return pl.DataFrame([(name, group, look[cue]) for name, group, cue in rows], schema=schema, orient="row")


def _hits(rows: pl.Series, texts: pl.Series, patterns: list[str]) -> pl.DataFrame:
    """(row, pattern) of every pattern found."""
    if not patterns:
        return pl.DataFrame(schema={"row": rows.dtype, "pattern": pl.String})
    found = pl.DataFrame({"row": rows, "pattern": texts.str.extract_many(patterns, overlapping=True)})
    return found.explode("pattern").drop_nulls("pattern")


def _only(patterns: Iterable[str]) -> str:
    """A regex for texts that consist of these cues; the blank before one is the end of the other."""
    whole = {pattern.strip(): "" if pattern.endswith(" ") else "[^ ]*" for pattern in patterns}
    said = "|".join(re.escape(word) + rest for word, rest in sorted(whole.items(), key=lambda one: -len(one[0])))
    return f"^ (?:(?:{said}) )+$"


def slot_pattern(labels: list[str]) -> str:
    """A regex for labelled, filled lines: `Destino(s): Pucón`."""
    names = "|".join(re.escape(label).translate(_VOWELS) for label in labels)
    return rf"(?im)(?:^|[;|,])[ \t*•-]*(?:{names})(?:\(s\))?[ \t*]*:[ \t*]*\S" if labels else ""


def _form() -> list[pl.Expr]:
    """What regexes say about the form of a text."""
    raw, text = pl.col("raw"), pl.col("text")
    return [
        # As a regex it is found faster than as a literal (polars 2.1).
        (text.str.count_matches(" ").cast(pl.Int64) - 1).clip(lower_bound=0).alias("word_count"),
        raw.str.count_matches(NUMBER).alias("numbers"),
        raw.str.contains(f"{CODE}|{QUERY}").alias("has_code"),
        pl.any_horizontal(raw.str.contains(pattern) for pattern in PERSONAL).alias("contains_personal_data"),
        pl.max_horizontal(
            text.str.extract(DAYS, 1).cast(pl.Int64, strict=False),
            text.str.extract(WEEKS, 1).cast(pl.Int64, strict=False) * 7,
        ).alias("numbered_days"),
        text.str.head(HEAD_CHARS).str.count_matches(SPANISH).cast(pl.Int64).alias("spanish_words"),
        text.str.head(HEAD_CHARS).str.count_matches(ENGLISH).cast(pl.Int64).alias("english_words"),
        raw.str.head(HEAD_CHARS).str.contains(ACCENTED).cast(pl.Int64).alias("is_accented"),
    ]


def _finished(frame: pl.DataFrame) -> pl.DataFrame:
    """The declared columns, from what was found."""
    count = {name: pl.col(f"{name}_found").fill_null(0) for name in (*COUNT_OF, "chilean")}
    # Accents and marks weigh as three words, Chilean wording and the language of the deciding cue as one.
    spanish = (
        pl.col("spanish_words") + 3 * pl.col("is_accented") + (count["chilean"] > 0)
        + (pl.col("cue_language") == "es").fill_null(value=False)
    )  # fmt: skip
    english = pl.col("english_words") + (pl.col("cue_language") == "en").fill_null(value=False)
    language = (
        pl.when(spanish > english).then(pl.lit("es")).when(english > 0).then(pl.lit("en")).otherwise(pl.lit("other"))
    )
    register = pl.when((count["chilean"] > 0) & (spanish >= english)).then(pl.lit("es-CL"))
    columns = {
        "language": language,
        "register": register,
        **{column: count[name] for name, column in COUNT_OF.items()},
        "quantity_count": count["quantities"] + pl.col("numbers"),
        "travel_days": pl.max_horizontal("numbered_days", "worded_days"),
        **{name: pl.col(name).fill_null(0) for name in ("table_rows", "choice_count", "slot_count")},
    }
    found = frame.select(
        columns.get(name, pl.col(name)).cast(kind).alias(name)
        for name, kind in _SCHEMA.items()
        if name != "text_signals"
    )
    return found.with_columns(_packed().alias("text_signals"))


def _packed() -> pl.Expr:
    """All signals of a text as one number, as `PACKED` says; unknown is 0."""
    total, shift = pl.lit(0, pl.Int64), 0
    for name, bits in PACKED.items():
        cut = pl.col(name).cast(pl.Int64).fill_null(0).clip(0, 2**bits - 1)
        total, shift = total + cut * 2**shift, shift + bits
    return total
