"""What a text says of itself: language, cues, counts, an intent; the twin of `costctl.tiers.text.TextReader`."""

from __future__ import annotations

import re
from typing import Any

from costctl.export.runtime.cues import CueFinder, OnlyThese
from costctl.export.runtime.words import Folder, caseless

_SENTENCE_END = re.compile("[.?!]")
_LABELLED = re.compile(r"\n|: ")


class TextFeatures:
    """Reads one text after the other; `data` are the tier rules as `costctl.export.rules_data` writes them."""

    def __init__(self, data: dict[str, Any], folder: Folder) -> None:
        self._folder = folder
        self._intents: list[dict[str, Any]] = data["intents"]
        self._orders: dict[str, list[tuple[int, int, str, str | None]]] = {}
        for order, (cue, rank, written, language) in enumerate(data["cues"]):
            self._orders.setdefault(cue, []).append((order, rank, written, language))
        self._groups: dict[str, list[tuple[str, int]]] = {}
        for signal, groups in data["signals"].items():
            for number, group in enumerate(groups):
                for cue in group:
                    self._groups.setdefault(cue, []).append((signal, number))
        self._days: dict[str, int] = {}
        for days, cues in data["durations"]:
            for cue in cues:
                self._days[cue] = max(days, self._days.get(cue, 0))
        self._finder = CueFinder(sorted({*self._orders, *self._groups, *self._days}))
        self._only = OnlyThese(data["alone"])
        self._count_of: dict[str, str] = data["count_of"]
        self._head_chars: int = data["head_chars"]
        patterns = data["patterns"]
        self._number, self._code, self._accented = (
            re.compile(patterns[name]) for name in ("number", "code", "accented")
        )
        self._personal = [re.compile(one) for one in patterns["personal"]]
        self._days_pattern, self._weeks_pattern = re.compile(patterns["days"]), re.compile(patterns["weeks"])
        self._spanish, self._english = re.compile(patterns["spanish"]), re.compile(patterns["english"])
        self._query = [re.compile(one, re.IGNORECASE) for one in patterns["query"]]
        self._query_gap: int = patterns["query_gap"]
        self._choice = re.compile(patterns["choice"])
        self._slot = re.compile(patterns["slot"]) if patterns["slot"] else None

    def read(self, raw: str) -> dict[str, Any]:
        """The features of a text by name; None where it says nothing."""
        text = self._folder.words(raw)
        classed = self._folder.classed(raw)
        found = self._finder.found(text)
        said = {group for cue in found for group in self._groups.get(cue, ())}
        counts: dict[str, int] = {}
        for signal, _ in said:
            counts[signal] = counts.get(signal, 0) + 1
        word_count = max(text.count(" ") - 1, 0)
        intent, cue, cue_language = self._intent(text, word_count, found, counts)
        days = [one for one in (self._numbered_days(text), *(self._days.get(cue) for cue in found)) if one is not None]
        language, register = self._language(raw, text, counts.get("chilean", 0), cue_language)
        has_lines = _LABELLED.search(raw) is not None
        numbers = sum(1 for _ in self._number.finditer(classed))
        return {
            "language": language, "register": register,
            "intent": intent["name"] if intent else None, "intent_tier": intent["tier"] if intent else None,
            "intent_cue": cue, "word_count": word_count,
            **{name: counts.get(signal, 0) for signal, name in self._count_of.items()},
            "quantity_count": counts.get("quantities", 0) + numbers,
            "travel_days": max(days) if days else None,
            "slot_count": sum(1 for _ in self._slot.finditer(caseless(raw))) if has_lines and self._slot else 0,
            "table_rows": _table_rows(raw) if has_lines else 0,
            "choice_count": sum(1 for _ in self._choice.finditer(classed)) if has_lines else 0,
            "has_code": self._code.search(classed) is not None or _in_order(classed, self._query, self._query_gap),
            "contains_personal_data": any(one.search(classed) for one in self._personal),
        }  # fmt: skip

    def _intent(
        self, text: str, word_count: int, found: set[str], counts: dict[str, int]
    ) -> tuple[dict[str, Any] | None, str | None, str | None]:
        """The first intent that holds, its cue and the cue's language; the user's own go before all others."""
        best: tuple[bool, int, int, str, str | None] | None = None
        is_alone = self._only.hold(text)
        for cue in found:
            for order, rank, written, language in self._orders.get(cue, ()):
                intent = self._intents[rank]
                if intent["alone"]:
                    if not is_alone:
                        continue
                elif not _keeps_company(intent, word_count, counts):
                    continue
                here = (not intent["goes_first"], order, rank, written, language)
                if best is None or here[:2] < best[:2]:
                    best = here
        return (self._intents[best[2]], best[3], best[4]) if best else (None, None, None)

    def _numbered_days(self, text: str) -> int | None:
        days, weeks = self._days_pattern.search(text), self._weeks_pattern.search(text)
        told = ([int(days[1])] if days else []) + ([int(weeks[1]) * 7] if weeks else [])
        return max(told) if told else None

    def _language(self, raw: str, text: str, chilean: int, cue_language: str | None) -> tuple[str, str | None]:
        """Language and register. Accents weigh as three words, Chilean wording and the deciding cue as one."""
        head = text[: self._head_chars]
        spanish = (
            sum(1 for _ in self._spanish.finditer(head)) + (chilean > 0) + (cue_language == "es")
            + 3 * (self._accented.search(raw[: self._head_chars]) is not None)
        )  # fmt: skip
        english = sum(1 for _ in self._english.finditer(head)) + (cue_language == "en")
        language = "es" if spanish > english else "en" if english > 0 else "other"
        return language, "es-CL" if chilean > 0 and spanish >= english else None


def _keeps_company(intent: dict[str, Any], word_count: int, counts: dict[str, int]) -> bool:
    """Whether the message is short enough, and beside the cue stand the signals that must and none that must not."""
    if word_count > intent["max_words"]:
        return False
    if intent["with"] and not any(counts.get(name) for name in intent["with"]):
        return False
    return not any(counts.get(name) for name in intent["without"])


def _in_order(text: str, words: list[re.Pattern[str]], gap: int) -> bool:
    """Whether these follow one another in one sentence, each 1 to `gap` characters after the one before.

    The nearest of the words before is the one that counts, so one pass for each word is enough; the one pattern
    that says the same goes back over all that lies between.
    """
    ends: list[int] = [one.end() for one in words[0].finditer(text)]
    for word in words[1:]:
        reached, place = [], 0
        for found in word.finditer(text):
            while place < len(ends) and ends[place] < found.start():
                place += 1
            between = text[ends[place - 1] : found.start()] if place else ""
            if 0 < len(between) <= gap and not _SENTENCE_END.search(between):
                reached.append(found.end())
        ends = reached
    return bool(ends)


def _table_rows(raw: str) -> int:
    """Lines with two bars, tabs or semicolons, or three commas."""
    return sum(
        line.count(",") >= 3 or line.count("|") >= 2 or line.count("\t") >= 2 or line.count(";") >= 2
        for line in raw.split("\n")
    )
