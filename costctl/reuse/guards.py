"""What must be equal before one prompt may be answered with the answer to another, however near their vectors are.

Vectors of whole texts hardly see what an answer hangs on: "7 am" lies next to "9 am", "with" next to
"without". The guard of a text holds these, in the order of the text and in one spelling for English and
Spanish (`guard_words`):

- numbers, in digits or words, with units of money and measure;
- negations, and words that turn a request round (cancel, off, before, less);
- times and dates: days, months, parts of the day, units of time, next and last, with "for", "by" or "in" before them;
- quantifiers: every, only, first;
- names: quoted texts, addresses, codes, capitals inside a sentence, and the word behind "in", "near" or "called".

It is made of words of the text and stays in memory.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from costctl.reuse.guard_words import FILLERS, LINKS, NO_NAMES, SIGNS, SPANS, TIMES, meanings

Int = NDArray[np.int64]

_MEANINGS = meanings()
_TOKEN = re.compile(
    r'(?P<quoted>"[^"\n]{1,80}"|“[^”\n]{1,80}”|«[^»\n]{1,80}»)'
    r"|(?P<address>https?://\S+|[\w.+-]+@[\w-]+\.[\w.-]+|[#@][\w-]+)"
    r"|(?P<sign>[$€£%])"
    r"|(?P<number>\d+(?:[.,:/-]\d+)*)(?P<unit>[^\W\d_]*(?![^\W_]))"
    r"|(?P<code>[^\W_]*\d[\w-]*)"
    r"|(?P<word>[^\W\d_]+(?:['’][^\W\d_]+)*)"
    r"|(?P<end>[.!?\n¿¡]+)"
)
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
    capitals_name = not _is_shouted(text)
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
        if meaning:
            if span and (meaning in TIMES or meaning.isdigit()):
                yield span
            yield meaning
        is_capital = capitals_name and written[0].isupper() and (not is_start or (len(word) > 1 and written.isupper()))
        if word in LINKS or word in SPANS:
            is_linked, span = word in LINKS, SPANS.get(word, "")
        elif meaning or word not in FILLERS or is_capital:
            if not meaning and (is_linked or (is_capital and word not in NO_NAMES)):
                yield word
            is_linked, span = False, ""
        before, is_start = word, False


def _is_shouted(text: str) -> bool:
    """Whether capitals say nothing: most words begin with one, as in a title."""
    words = re.findall(r"[^\W\d_]{2,}", text[:2000])
    return len(words) > 3 and sum(word[0].isupper() for word in words) * 3 > 2 * len(words)


def _meaning(word: str, before: str) -> str:
    if word == "manana":  # tomorrow, or with an article the morning
        return "am" if before in {"la", "esta", "las"} else "tomorrow"
    if word == "tarde":
        return "pm" if before in {"la", "esta", "las", "pasado"} else "late"
    return _MEANINGS.get(word) or ("not" if word.endswith("n't") else "")


def _other(found: re.Match[str]) -> Iterator[str]:
    """The parts of a number with its unit, a sign, a code, a quoted text or an address."""
    if number := found["number"]:
        yield _number(number)
        if (unit := plain(found["unit"] or "")) and unit not in _SUFFIXES:
            yield _MEANINGS.get(unit, unit)
    elif sign := found["sign"]:
        yield SIGNS[sign]
    else:
        yield plain(found[0].strip('"“”«»'))


def _number(written: str) -> str:
    """As written, but for separators of thousands: 7 and 7:00 may mean the same, 7 and 7.00 may not."""
    return _THOUSANDS.sub("", written)
