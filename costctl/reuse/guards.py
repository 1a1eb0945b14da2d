"""What must be equal before one prompt may be answered with the answer to another, however near their vectors are.

Vectors of whole texts hardly see what an answer hangs on: "7 am" lies next to "9 am", "with" next to
"without". The guard of a text holds these, in the order of the text and in one spelling for English and
Spanish (`guard_words`):

- numbers, in digits or words, with their sign and with units of money and measure;
- negations ("not", "unsafe"), and words that turn a request round (cancel, off, before, less);
- times and dates: days, months, parts of the day, units of time, next and last, with "for", "by" or "in" before them;
- quantifiers: every, some, only, first;
- names: quoted texts, addresses, codes, capitals inside a sentence, the word behind "in", "near" or "called", and both
  ends of a way ("from paris to rome", "de lima a bogota").

It is made of words of the text and stays in memory.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from costctl.reuse.guard_words import (
    DENYING,
    FILLERS,
    LINKS,
    NO_NAMES,
    NOT_DENYING,
    PARTS,
    SIGNS,
    SPANS,
    TIMES,
    meanings,
)

Int = NDArray[np.int64]

_MEANINGS = meanings()
_TOKEN = re.compile(
    r'(?P<quoted>"[^"\n]{1,80}"|“[^”\n]{1,80}”|«[^»\n]{1,80}»)'
    r"|(?P<address>https?://\S+|[\w.+-]+@[\w-]+\.[\w.-]+|[#@][\w-]+)"
    r"|(?P<minus>(?<![\w)\]%])[-\u2212](?=[$€£]?\d))"
    r"|(?P<sign>[$€£%])"
    r"|(?P<number>\d+(?:[.,:/-]\d+)*)(?P<unit>[^\W\d_]*(?![^\W_]))"
    r"|(?P<code>[^\W_]*\d[\w-]*)"
    r"|(?P<word>[^\W\d_]+(?:['’][^\W\d_]+)*)"
    r"|(?P<end>[.!?\n¿¡]+)"
)
_WORD = r"[^\W\d_]+"
_END = rf"(?!(?:me|you|us|it|him|her|them)\b)(?:(?:the|my|el|la|los|las|mi)\s+)?{_WORD}"
# Both ends of a way in the order of the text, or, of "to rome from paris", where it begins: before that stands a verb
# as often ("to order from a shop"). The first pattern that a text has counts.
_WAYS = (
    re.compile(rf"\b(?:from|desde)\s+((?:{_WORD}\s+){{1,3}}?)(?:to|into|hasta|al?)\s+({_END})", re.IGNORECASE),
    re.compile(rf"\bdel?\s+((?:{_WORD}\s+){{1,3}}?)al?\s+({_END})", re.IGNORECASE),
    re.compile(rf"\b(?:to|into|hasta|al?)\s+(?:{_WORD}\s+){{1,2}}?(?:from|desde)\s+({_WORD})", re.IGNORECASE),
)
_OF = _WAYS[1]
_BEGIN = re.compile(r"\b(?:from|desde|del?)\s", re.IGNORECASE)  # no way is without one
_VERB = re.compile(r"(?:[aei]r|ír)(?:me|te|se|l[aeo]s?|nos)?$", re.IGNORECASE)
_PART_OF = re.compile(r"\s+(?:of|del?)\b", re.IGNORECASE)
_TAKEN_FROM = frozenset({"undo", "change", "pause"})
_THOUSANDS = re.compile(r"(?<=\d)[.,](?=\d{3}(?:\D|$))")
_SUFFIXES = frozenset({"st", "nd", "rd", "th", "h", "hs", "hrs"})


def guard(text: str) -> str:
    """The guard of a text: two texts of equal guard ask for the same numbers, times and names.

    >>> guard("Pon una alarma para las 7am del lunes en Santiago")
    'for 7 am monday santiago'
    >>> guard("Set an alarm for seven am on Monday in Santiago, please")
    'for 7 am monday santiago'
    """
    return " ".join(_parts(text))


def guard_codes(texts: Sequence[str]) -> Int:
    """A number for each text; equal guards have equal numbers."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(guard(text), len(numbers)) for text in texts], dtype=np.int64)


def plain(word: str) -> str:
    """Lower case, no accents."""
    if word.isascii():
        return word.lower()
    letters = unicodedata.normalize("NFKD", word.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).replace("’", "'")


def _parts(text: str) -> Iterator[str]:
    capitals_name, ends = not _is_shouted(text), _ends(text)
    before, span, is_start, is_linked = "", "", True, False
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup
        if kind == "end":
            before, span, is_start, is_linked = "", "", True, False
            continue
        if kind != "word":
            if span and found["number"]:
                yield span
            yield from _other(found)
            before, span, is_start, is_linked = "", "", False, False
            continue
        written = found["word"]
        word = plain(written)
        meaning = _meaning(word, before)
        if word in PARTS and (_MEANINGS.get(before) in _TAKEN_FROM or _PART_OF.match(text, found.end())):
            meaning = PARTS[word]
        if meaning:
            if span and (meaning in TIMES or meaning.isdigit()):
                yield span
            yield meaning
        is_capital = capitals_name and written[0].isupper() and (not is_start or (len(word) > 1 and written.isupper()))
        if word in LINKS or word in SPANS:
            is_linked, span = word in LINKS, SPANS.get(word, "")
        elif meaning or word not in FILLERS or is_capital:
            if not meaning and (is_linked or found.start() in ends or (is_capital and word not in NO_NAMES)):
                yield word
            is_linked, span = False, ""
        before, is_start = word, False


def _ends(text: str) -> frozenset[int]:
    """Where the words begin that are ends of a way: in lower case nothing else shows which is which.

    A verb is no end of a way with "de": "un recordatorio de llamar a mi madre", "este fin de semana va a nevar".
    """
    for way in _WAYS if _BEGIN.search(text) else ():
        places = [
            one.start(group) + word.start()
            for one in way.finditer(text)
            if way is not _OF or not any(_VERB.search(word) for word in f"{one[1]} {one[2]}".split())
            for group in range(1, way.groups + 1)
            for word in re.finditer(_WORD, one[group])
        ]
        if places:
            return frozenset(places)
    return frozenset()


def _is_shouted(text: str) -> bool:
    """Whether capitals say nothing: most words begin with one, as in a title."""
    words = re.findall(r"[^\W\d_]{2,}", text[:2000])
    return len(words) > 3 and sum(word[0].isupper() for word in words) * 3 > 2 * len(words)


def _meaning(word: str, before: str) -> str:
    if word == "manana":  # tomorrow, or with an article the morning
        return "am" if before in {"la", "esta", "las"} else "tomorrow"
    if word == "tarde":
        return "pm" if before in {"la", "esta", "las", "pasado"} else "late"
    return _MEANINGS.get(word) or ("not" if word.endswith("n't") or _denies(word) else "")


def _denies(word: str) -> bool:
    return len(word) > 5 and word.startswith(DENYING) and not word.startswith(NOT_DENYING)


def _other(found: re.Match[str]) -> Iterator[str]:
    """The parts of a number with its unit, a sign, a code, a quoted text or an address."""
    if number := found["number"]:
        yield _number(number)
        if (unit := plain(found["unit"] or "")) and unit not in _SUFFIXES:
            yield _MEANINGS.get(unit, unit)
    elif found["minus"]:
        yield "minus"
    elif sign := found["sign"]:
        yield SIGNS[sign]
    else:
        yield plain(found[0].strip('"“”«»'))


def _number(written: str) -> str:
    """As written, but for separators of thousands: 7 and 7:00 may mean the same, 7 and 7.00 may not."""
    return _THOUSANDS.sub("", written)
