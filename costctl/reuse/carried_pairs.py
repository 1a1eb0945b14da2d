"""Which texts are near and which answers say the same: pairs of numbers that stand for vectors in a profile."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from costctl.reuse.false_hits import AnswerTest
from costctl.reuse.near_texts import NOTHING, NearTexts
from costctl.reuse.neighbours import Pairs, neighbours
from costctl.reuse.vectors import Int, similarity_ppb, squared_norms

# So many pairs of answers are compared; more would make a profile larger than its log.
ANSWER_PAIRS_MAX = 20_000_000
PART_PAIRS = 1_000_000
TOO_MANY = "the profile does not carry which answers say the same: too many pairs"


class Asked(NamedTuple):
    """The calls by the numbers of their answer and node (-1: none), and the nodes by those of text and scope."""

    answer: Int
    node: Int
    text: Int
    scope: Int


class Carried(NamedTuple):
    """Pairs of texts and of answers that say the same, the larger number first, each once."""

    near: Pairs
    like: Int  # the larger number << 32 | the smaller one
    test: AnswerTest | None
    why_no_answers: str


def carried_pairs(texts: NearTexts, asked: Asked, lowest_ppb: int) -> Carried:
    """The pairs of texts of one scope that are so near, and of answers given to equal or near texts that are alike."""
    graph = neighbours(texts.vectors, lowest_ppb, text=asked.text, scope=asked.scope)
    one = np.repeat(np.arange(len(asked.text)), np.diff(graph.offsets))
    is_first = one > graph.neighbour
    one, other = one[is_first], graph.neighbour[is_first].astype(np.int64)
    key, first = np.unique(_paired(asked.text[one], asked.text[other]), return_index=True)
    near = Pairs(
        (key >> 32).astype(np.int32), (key & 0xFFFFFFFF).astype(np.int32), graph.similarity_ppb[is_first][first]
    )
    test = texts.test(*asked) if (asked.answer >= 0).any() else None
    none = np.zeros(0, dtype=np.int64)
    if test is None:
        return Carried(near, none, None, "")
    guard = texts.guard[asked.text]
    may_serve = guard[one] == guard[other]
    everyone = np.arange(len(asked.text))
    nodes = np.concatenate((everyone, one[may_serve])), np.concatenate((everyone, other[may_serve]))
    answers = _answer_pairs(asked, *nodes)
    if answers is None:
        return Carried(near, none, test, TOO_MANY)
    norms = squared_norms(texts.answer_vectors)
    parts = [answers[start : start + PART_PAIRS] for start in range(0, len(answers), PART_PAIRS)]
    like = [
        part[similarity_ppb(texts.answer_vectors, norms, part >> 32, part & 0xFFFFFFFF) >= test.cut_ppb]
        for part in parts
    ]
    return Carried(near, np.concatenate((none, *like)), test, "")


def _paired(one: Int, other: Int) -> Int:
    pairs: Int = (np.maximum(one, other).astype(np.int64) << 32) | np.minimum(one, other)
    return pairs


def _answer_pairs(asked: Asked, one: Int, other: Int) -> Int | None:
    """All pairs of unequal answers given to these pairs of nodes, each once; None where they are too many."""
    has_both = (asked.answer != NOTHING) & (asked.node != NOTHING)
    given = np.unique((asked.node[has_both] << 32) | asked.answer[has_both])
    answers, counts = given & 0xFFFFFFFF, np.bincount(given >> 32, minlength=len(asked.text))
    first = np.cumsum(counts) - counts
    sizes = counts[one] * counts[other]
    if int(sizes.sum()) > ANSWER_PAIRS_MAX:
        return None
    pair = np.repeat(np.arange(len(sizes)), sizes)
    number = np.arange(len(pair)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    row, column = np.divmod(number, np.maximum(counts[other], 1)[pair])
    left, right = answers[first[one][pair] + row], answers[first[other][pair] + column]
    is_pair = left != right
    found: Int = np.unique(_paired(left[is_pair], right[is_pair]))
    return found
