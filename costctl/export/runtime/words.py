"""Texts as lower-case words between single blanks, and as classes of characters.

The twin of `costctl.tiers.text.words`. What is a letter, a number or a part of a word is data of the file and
not asked of Python, whose tables differ from version to version.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Any

# In patterns every other character is one of a word, a blank or neither; these stand for all of their kind.
_A_WORD, _A_BLANK, _A_MARK = "\u00e0", "\u00a0", "\u00ac"
_BLANKS = frozenset((0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000))
# The two that match an ASCII letter where case is ignored.
_KEPT = frozenset((0x17F, 0x212A))
# Blanks to Python, and not to the engine of the audit.
_SEPARATORS = re.compile("[\x1c-\x1f]")
_DOTS = re.compile("[\u0130\u0131]")
_GAPS = re.compile(r"[ \x00-\x1f]{2,}")


class Ranges:
    """A set of characters from pairs of first and last code point, in order."""

    def __init__(self, pairs: list[list[int]]) -> None:
        self._firsts = [first for first, _ in pairs]
        self._lasts = [last for _, last in pairs]

    def has(self, code: int) -> bool:
        """Whether the character of this code point is one of them."""
        at = bisect_right(self._firsts, code) - 1
        return at >= 0 and code <= self._lasts[at]


class _FoldTable(dict[int, str]):
    """For `str.translate`: folded marks as told, other symbols as blanks, letters and numbers as they are."""

    def __init__(self, fold: dict[str, str], letters: Ranges) -> None:
        super().__init__({ord(one): to for one, to in fold.items()})
        self._letters = letters

    def __missing__(self, code: int) -> str:
        found = chr(code) if code < 0x80 or self._letters.has(code) else " "
        self[code] = found
        return found


class _ClassTable(dict[int, str]):
    """For `str.translate`: every character beyond ASCII as one that stands for its kind."""

    def __init__(self, word_parts: Ranges) -> None:
        super().__init__(dict.fromkeys(range(28, 32), "\x01"))
        self._word_parts = word_parts

    def __missing__(self, code: int) -> str:
        if code < 0x80 or code in _KEPT:
            found = chr(code)
        elif code in _BLANKS:
            found = _A_BLANK
        else:
            found = _A_WORD if self._word_parts.has(code) else _A_MARK
        self[code] = found
        return found


class Folder:
    """Folds texts; `data` has `fold`, `shorter`, `letters` and `word_parts`."""

    def __init__(self, data: dict[str, Any]) -> None:
        fold: dict[str, str] = data["fold"]
        self._pairs = [(one, to) for one, to in fold.items() if len(one) > 1]
        single = {one: to for one, to in fold.items() if len(one) == 1}
        self._table = _FoldTable(single, Ranges(data["letters"]))
        self._classes = _ClassTable(Ranges(data["word_parts"]))
        # Of a letter that stands this often or oftener, one is left.
        self._stretched = re.compile(
            "|".join(f"({one}){one}{{{times - 1},}}" for one, times in data["shorter"].items())
        )

    def words(self, text: str) -> str:
        """The text as lower-case words between single blanks, one blank at each end."""
        low = text.lower()
        for pair, to in self._pairs:
            low = low.replace(pair, to)
        spaced = _GAPS.sub(" ", f" {low.translate(self._table)} ")
        return self._stretched.sub(lambda found: found[0][0], spaced)

    def classed(self, text: str) -> str:
        """The text for patterns that ask for word parts and blanks: characters beyond ASCII as one of their kind."""
        if text.isascii() and not _SEPARATORS.search(text):
            return text
        return text.translate(self._classes)


def caseless(text: str) -> str:
    """The text for patterns that ignore case: Python takes the dotless i and the dotted I for an i."""
    if text.isascii() and not _SEPARATORS.search(text):
        return text
    return _SEPARATORS.sub("\x01", _DOTS.sub(_A_WORD, text))
