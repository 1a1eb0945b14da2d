"""The form of a text as numbers and as shapes: what a learned router reads instead of what a text is about.

Plain Python 3.9 and regexes only, because an exported decision carries this file. The subject of a text does not
carry over to traffic that nobody has seen; how it is built does (measured: docs/learned-routing.md).
"""

from __future__ import annotations

import re
from collections import Counter
from math import log1p, sqrt
from zlib import crc32

READ_CHARS = 8_000
"""Only the beginning of a longer text is read, except for its length."""

KNOWN_MAX = 200_000
"""Runs whose bucket is remembered: some 30 MB at most."""

_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|\d+|\n|[^\w\s]|_+")
_SENTENCE = re.compile(r"[.!?…]+(?:\s|$)")
_CAPITALS = re.compile(r"[A-ZÁÉÍÓÚÑ]")
_NAMES = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+")
_NON_ASCII = re.compile(r"[^\x00-\x7f]")
_OPTION = re.compile(r"(?m)^[ \t]*\(?[A-Ea-e][.):] ?\S")
_SINGLE = re.compile(r"[B-HJ-Zb-hj-z]")


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# English and Spanish side by side; whole words in lower case.
_LEXICA: dict[str, frozenset[str]] = {
    "change": _set(
        "increase increases increased increasing decrease decreases decreased decreasing rise rises fall falls "
        "grow grows change changes changed greater smaller larger higher lower faster slower longer shorter heavier "
        "stronger weaker more less fewer same equal equals unchanged twice double half aumenta aumentar disminuye "
        "disminuir mayor menor más menos igual mismo doble mitad"
    ),
    "condition": _set(
        "if then suppose assume assuming assumes given let unless whether would could must should may si suponga "
        "supón entonces dado debe podría debería"
    ),
    "quantifier": _set(
        "all every each any some none only both either neither always never exactly least most many how average total "
        "rate per ratio probability percent number todos cada ninguno algún sólo solo ambos siempre nunca tasa "
        "probabilidad porcentaje número"
    ),
    "truth": _set(
        "true false correct incorrect valid invalid statement statements argument following verdadero falso correcta "
        "correcto válido enunciado afirmación"
    ),
    "task": _set(
        "explain compute calculate find determine solve prove derive evaluate compare design analyze analyse write "
        "list describe summarize translate explica calcula encuentra determina resuelve demuestra compara diseña "
        "analiza escribe resume traduce"
    ),
    "cause": _set("because since therefore thus hence due cause causes caused so reason porque por tanto pues debido"),
    "question": _set("which what who whom whose when where why how cuál cuáles qué quién cuándo dónde cómo"),
    "negation": _set("not no never none neither nor except without cannot nunca ninguno sin excepto"),
    "stop": _set(
        "the of and to in is a an for it on with that as are be at by from this was or which "
        "el la los las de que en un una por para con es"
    ),
    "pronoun": _set("i you he she they we his her their my your him them me our yo tú él ella"),
}
_SENSES = ("change", "condition", "quantifier", "truth", "task", "cause")
_LEXICA_OF = {
    word: tuple(name for name, lexicon in _LEXICA.items() if word in lexicon)
    for word in sorted(frozenset[str]().union(*_LEXICA.values()))
}
_MARKS = {"\n": "NL", "_": "BLANK"}
_SYMBOLS = frozenset("=+*/^<>%$€£|\\~{}[]-")
_SHAPED = _set(
    "the of and to in is a an for it on with that as are be at by from this was or which what who whom whose when "
    "where why how not no never none neither nor except without if then than but because so such most least more less "
    "best likely following true false both all any some only each every would should could can may must will do does "
    "did has have had been being were i you he she they we his her their my your him them me our its these those there "
    "here into over under between about after before during against above below up down out off again once other "
    "another same different many much few two one three first second statement correct "
    "el la los las de que en un una por para con es son era fue del al lo se su sus mi me te si no ni nunca sin sobre "
    "entre pero porque como cuando donde quién qué cuál cuáles cómo más menos mayor menor todo todos cada ninguno "
    "algunos solo puede debe debería podría está estaba hay tiene verdadero falso siguiente mismo otro"
)

FORM: tuple[str, ...] = (
    "chars", "words", "lines", "longest_line", "first_line", "other_lines", "sentences", "words_per_sentence",
    "numbers", "digit_ratio", "capital_ratio", "symbol_ratio", "symbols", "comma_ratio", "brackets", "questions",
    "quotes", "word_length", "long_word_ratio", "distinct_ratio", "non_ascii_ratio", "names", "name_ratio",
    "question_words", "negations", "stop_ratio", "pronoun_ratio", "options",
    *(f"{name}_ratio" for name in _SENSES), *(f"{name}_words" for name in _SENSES),
    "tail_words", "tail_distinct_ratio", "tail_overlap_ratio", "tail_digit_ratio", "line_spread", "single_letters",
    "single_letter_ratio", "has_blank", "short_word_ratio", "longest_word_ratio", "capitalised_ratio", "verb_ratio",
    "abstract_ratio",
)  # fmt: skip
"""What `form` measures, in this order. Lengths and counts of words are log(1 + n), ratios of words or characters."""


def form(text: str) -> list[float]:
    """The numbers of `FORM` of one text."""
    size, text = len(text), text[:READ_CHARS]
    return _form(size, text, _TOKEN.findall(text))


def _form(size: int, text: str, tokens: list[str]) -> list[float]:
    read = max(len(text), 1)
    said = [token for token in tokens if token[0].isalpha()]
    low = [word.lower() for word in said]
    words = max(len(low), 1)
    marks = Counter(token for token in tokens if not token[0].isalnum())
    digits = [token for token in tokens if token[0].isdigit()]
    lines = text.split("\n")
    lengths = [len(line) for line in lines]
    sentences = len(_SENTENCE.findall(text))
    letters = [len(word) for word in low]
    names = len(_NAMES.findall(text))
    symbols = sum(count for token, count in marks.items() if token in _SYMBOLS or token[0] == "_")
    found = Counter(low)
    of = dict.fromkeys(_LEXICA, 0)
    for word in found.keys() & _LEXICA_OF.keys():
        for name in _LEXICA_OF[word]:
            of[name] += found[word]
    return [
        log1p(size), log1p(len(low)), float(len(lines)), log1p(max(lengths)), log1p(lengths[0]),
        log1p(max(len(text) - lengths[0], 0)), float(sentences), len(low) / max(sentences, 1), float(len(digits)),
        sum(map(len, digits)) / read, len(_CAPITALS.findall(text)) / read, symbols / read, float(symbols),
        (marks[","] + marks[";"] + marks[":"]) / words, float(marks["("] + marks[")"]), float(marks["?"]),
        float(sum(marks[mark] for mark in '"“”«»')), sum(letters) / words,
        sum(length >= 9 for length in letters) / words, len(found) / words, len(_NON_ASCII.findall(text)) / read,
        float(names), names / words, float(of["question"]), float(of["negation"]), of["stop"] / words,
        of["pronoun"] / words, float(len(_OPTION.findall(text))),
        *(of[name] / words for name in _SENSES), *(log1p(of[name]) for name in _SENSES),
        *_tail(lines, lengths, tokens, low), *_letters(said, low, letters, words, has_blank="__" in text),
    ]  # fmt: skip


def _tail(lines: list[str], lengths: list[int], tokens: list[str], low: list[str]) -> list[float]:
    """What follows the first line, and how even the lines are."""
    first = tokens[: tokens.index("\n")] if len(lines) > 1 else tokens
    head = [token.lower() for token in first if token[0].isalpha()]
    after, before = low[len(head) :], set(head)
    digits = sum(len(token) for token in tokens[len(first) :] if token[0].isdigit())
    mean = sum(lengths) / len(lengths)
    spread = sqrt(sum((length - mean) ** 2 for length in lengths) / len(lengths))
    many = max(len(after), 1)
    return [
        log1p(len(after)), len(set(after)) / many, sum(word in before for word in after) / many,
        digits / max(sum(lengths[1:]), 1), spread / max(mean, 1.0),
    ]  # fmt: skip


def _letters(said: list[str], low: list[str], letters: list[int], words: int, *, has_blank: bool) -> list[float]:
    """How the words are made."""
    single = sum(len(word) == 1 and bool(_SINGLE.match(word)) for word in low)
    return [
        log1p(single), single / words, float(has_blank), sum(length <= 3 for length in letters) / words,
        sum(length >= 12 for length in letters) / words, sum(word[0].isupper() for word in said) / words,
        sum(word.endswith(("ing", "ed")) for word in low) / words,
        sum(word.endswith(("tion", "sion", "ity", "ism", "ción", "dad", "ismo")) for word in low) / words,
    ]  # fmt: skip


def shapes(text: str) -> list[str]:
    """The text as shapes: common words as they are, others as `w` and a third of their length, numbers as nines.

    >>> shapes("Which is larger: 12 or 3,000?")
    ['which', 'is', 'w2', 'S:', '99', 'or', '9', 'S,', '999', 'S?']
    """
    return _shapes(_TOKEN.findall(text[:READ_CHARS]))


def _shapes(tokens: list[str]) -> list[str]:
    found = []
    for token in tokens:
        first = token[0]
        if first.isalpha():
            low = token.lower()
            kind = "W" if first.isupper() else "w"
            found.append(low if low in _SHAPED else f"{kind}{min(4, (len(token) + 2) // 3)}")
        elif first.isdigit():
            found.append("9" * min(3, len(token)))
        else:
            found.append(_MARKS.get(first, f"S{first}"))
    return found


class TextReader:
    """Reads texts one by one; remembers where it has put a run of shapes."""

    def __init__(self, buckets: int) -> None:
        self._buckets = buckets
        self._known: dict[tuple[str, ...], int] = {}

    def read(self, text: str) -> tuple[list[float], dict[int, int]]:
        """The numbers of `FORM`, and how often the runs of one to three shapes hit each bucket.

        The bucket of a run is the CRC-32 of its shapes, joined by blanks, modulo the number of buckets.
        """
        size, text = len(text), text[:READ_CHARS]
        tokens = _TOKEN.findall(text)
        return _form(size, text, tokens), self._counts(_shapes(tokens)) if self._buckets else {}

    def _counts(self, found: list[str]) -> dict[int, int]:
        runs: Counter[tuple[str, ...]] = Counter(zip(found))
        runs.update(zip(found, found[1:]))
        runs.update(zip(found, found[1:], found[2:]))
        known, counts = self._known, dict[int, int]()
        for run, count in runs.items():
            bucket = known.get(run)
            if bucket is None:
                bucket = crc32(" ".join(run).encode()) % self._buckets
                if len(known) < KNOWN_MAX:
                    known[run] = bucket
            counts[bucket] = counts.get(bucket, 0) + count
        return counts
