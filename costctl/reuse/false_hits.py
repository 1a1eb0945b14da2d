"""How often a semantic cache answers wrongly: per hit and per request, with intervals.

A hit is judged by labels where there are any, else by the answers that the log has: the answer that was given
to this prompt against the one that the cache would have given. Two answers are alike from a similarity on
that one pair in a hundred of unlike prompts reaches. How often such a test is wrong is
measured in the same log, on repeats of one prompt and on unlike prompts, and taken out again (Rogan and Gladen 1978).
Hits on the same entry belong together: the interval knows that.

Two things it cannot know. A repeat is often answered word for word as before, and the same question in other words is
not: repeats that were answered in other words show how far apart two right answers may be, and without such
repeats there is no estimate, only the most that can be wrong. And a wrong answer that reads like the right one
(another date, another order) counts as right. How often that is so is measured on near prompts that the guard
separates (`answer_power`): where their answers are about as alike as those to repeats, nothing is told at all, and
only labels can.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from costctl.reuse.intervals import Share, clopper_pearson, clustered
from costctl.reuse.vectors import ONE, Int, Int32, Vectors, similarity_ppb, squared_norms

Verdicts = NDArray[np.int8]
RIGHT, WRONG, UNKNOWN = 0, 1, -1
CONFIDENCE = 0.95
HITS_MIN = 20  # fewer judged hits give no figure
UNLIKE_RATIO = 0.01  # so many pairs of unlike prompts pass for alike
PAIRS_MAX = 20_000
SHIFTS = (0.5, 0.381966, 0.236068, 0.145898)  # unlike prompts: far from each other in the log
SEPARATION_MIN = 0.2  # a test that tells alike from unlike less well than that says nothing


class FalseHits(NamedTuple):
    """The two rates of one policy; None where the log cannot say."""

    wrong_per_hit: Share
    wrong_per_request: Share
    hits: int
    requests: int
    basis: str  # labels | answers | bounds | nothing


class AnswerTest(NamedTuple):
    """From which similarity on two answers are alike, and how often that is so where it should be and where not."""

    cut_ppb: int
    alike_of_repeats: Share  # the same prompt was asked again
    alike_of_unlike: Share  # prompts that have nothing to do with each other
    alike_of_reworded: Share  # the same prompt was asked again and answered in other words
    alike_of_apart: Share | None = None  # near prompts that the guard separates; None: too few

    @property
    def has_power(self) -> bool:
        """Whether answers to near prompts that ask for other things are less alike than those to repeats."""
        repeats = 1.0 if self._repeats.estimate is None else self._repeats.estimate
        return self.alike_of_apart is None or repeats - _ends(self.alike_of_apart, CONFIDENCE)[1] >= SEPARATION_MIN

    @property
    def _repeats(self) -> Share:
        """What a right answer is compared with: repeats answered in other words, where there are enough."""
        return self.alike_of_reworded if self.alike_of_reworded.trials >= HITS_MIN else self.alike_of_repeats

    @property
    def why_no_power(self) -> str:
        """Why this test says nothing of near prompts; empty where it does."""
        apart, repeats = self.alike_of_apart, self._repeats
        if apart is None or self.has_power:
            return ""
        share = apart.estimate or 0.0
        than = "" if repeats.estimate is None else f", those to the same prompt in {repeats.estimate:.0%}"
        return (
            f"answers to near prompts that differ in a number, time, name or not are alike in {share:.0%} "
            f"of {apart.trials:,} pairs{than}: answers do not tell them apart here"
        )


def by_labels(labels: Int, at: Int, answered_by: Int) -> Verdicts:
    """Each hit is right where the two requests have the same label; a label below 0 is unknown.

    >>> by_labels(np.array([4, 4, 5, -1]), np.array([1, 2, 3]), np.array([0, 0, 0])).tolist()
    [0, 1, -1]
    """
    one, other = labels[at], labels[answered_by]
    return np.where((one < 0) | (other < 0), UNKNOWN, np.where(one == other, RIGHT, WRONG)).astype(np.int8)


def by_fingerprints(answers: Int, at: Int, answered_by: Int) -> Verdicts:
    """Answers known by their hashes only: equal ones are right, unequal ones may say the same in other words."""
    one, other = answers[at], answers[answered_by]
    return np.where((one >= 0) & (one == other), RIGHT, UNKNOWN).astype(np.int8)


def answer_test(vectors: Vectors, answer: Int, node: Int, confidence: float = CONFIDENCE) -> AnswerTest | None:
    """How alike answers are in this log; None where it has too few of them.

    `answer` is the row of `vectors` of each request's answer (-1: none), `node` its prompt.
    """
    norms = squared_norms(vectors)
    unlike = _similarities(vectors, norms, answer, *_unlike_pairs(answer, node))
    if len(unlike) < 1 / UNLIKE_RATIO:
        return None
    cut = int(np.sort(unlike)[-int(len(unlike) * UNLIKE_RATIO) - 1]) + 1
    one, other = _repeat_pairs(answer, node)
    repeats = _similarities(vectors, norms, answer, one, other) >= cut
    is_reworded = answer[one] != answer[other]
    return AnswerTest(
        cut, clustered(repeats, node[one], confidence),
        clustered(unlike >= cut, np.arange(len(unlike)), confidence),
        clustered(repeats[is_reworded], node[one][is_reworded], confidence),
    )  # fmt: skip


def by_answers(vectors: Vectors, answer: Int, test: AnswerTest, at: Int, answered_by: Int) -> Verdicts:
    """Each hit is right where the two answers are alike; without the two answers it is unknown."""
    known = (answer[at] >= 0) & (answer[answered_by] >= 0)
    verdicts = np.full(len(at), UNKNOWN, dtype=np.int8)
    verdicts[known] = np.where(alike(vectors, answer, test, at[known], answered_by[known]), RIGHT, WRONG)
    return verdicts


def alike(vectors: Vectors, answer: Int, test: AnswerTest, one: Int, other: Int) -> NDArray[np.bool_]:
    """Whether the test takes the answers of these pairs of requests for alike; all have one."""
    return _similarities(vectors, squared_norms(vectors), answer, one, other) >= test.cut_ppb


def false_hits(
    verdicts: Verdicts, answered_by: Int, requests: int, test: AnswerTest | None = None, confidence: float = CONFIDENCE
) -> FalseHits:
    """The rates from the verdict on each hit; with a `test` its own errors are taken out."""
    hits = len(verdicts)
    judged = verdicts != UNKNOWN
    basis = "answers" if test is not None else "labels"
    # With a test three or four intervals are joined, and each may miss so much less often.
    joined = 1 if test is None else 3 if test.alike_of_apart is None else 4
    level = 1 - (1 - confidence) / joined
    per_hit = clustered(verdicts[judged] == WRONG, answered_by[judged], level)
    if per_hit.trials < min(HITS_MIN, hits) or not per_hit.trials:
        nothing = Share(None, 0.0, 1.0, per_hit.trials, per_hit.effective_trials)
        return FalseHits(nothing, _per_request(nothing, hits, requests), hits, requests, "nothing")
    if test is not None:
        per_hit = _corrected(per_hit, test, level)
        basis = basis if per_hit.estimate is not None else "bounds" if per_hit.high < 1 else "nothing"
    return FalseHits(per_hit, _per_request(per_hit, hits, requests), hits, requests, basis)


def at_most(verdicts: Verdicts, requests: int) -> FalseHits:
    """Bounds where a verdict can be right and never wrong, as those of `by_fingerprints`: no estimate.

    Of these hits none is known to be wrong, and all may be that are not known to be right.

    >>> at_most(np.array([0, 0, 0, -1], dtype=np.int8), 10).wrong_per_hit[:3]
    (None, 0.0, 0.25)
    """
    hits, right = len(verdicts), int(np.count_nonzero(verdicts == RIGHT))
    per_hit = Share(None, 0.0, 1 - right / hits if hits else 1.0, hits, float(hits))
    return FalseHits(per_hit, _per_request(per_hit, hits, requests), hits, requests, "bounds" if right else "nothing")


def checked_test(test: AnswerTest, is_alike: NDArray[np.bool_], is_right: NDArray[np.bool_]) -> AnswerTest:
    """The same test with its errors measured on judged hits: near prompts are harder than unlike ones."""
    right = _plain(is_alike[is_right])
    return test._replace(alike_of_repeats=right, alike_of_unlike=_plain(is_alike[~is_right]), alike_of_reworded=right)


def _plain(is_alike: NDArray[np.bool_]) -> Share:
    return clustered(is_alike, np.arange(len(is_alike)), CONFIDENCE)


def _per_request(per_hit: Share, hits: int, requests: int) -> Share:
    """Hits are counted, not estimated: only their share of wrong ones is uncertain."""
    share = hits / requests if requests else 0.0
    estimate = None if per_hit.estimate is None else per_hit.estimate * share
    return per_hit._replace(estimate=estimate, low=per_hit.low * share, high=per_hit.high * share)


def _corrected(per_hit: Share, test: AnswerTest, level: float) -> Share:
    """The share of wrong hits behind the share of unlike answers.

    Alike of the right ones s, of the wrong ones f, alike in all a: right = (a - f) / (s - f). The ends of the
    interval take the worst ends of all three. Right answers are at most as alike as those to repeats (1 where nothing
    is repeated): that gives the upper end, and the estimate. The lower end takes repeats answered in other
    words, as two prompts mostly are; with fewer than 20 of them it is 0, and there is no estimate. Wrong ones are
    alike at least as often as answers to unlike prompts (the lower end), and at most as those to near prompts that the
    guard separates (the upper end, and the estimate).
    """
    f, (f_low, f_high) = test.alike_of_unlike.estimate or 0.0, _ends(test.alike_of_unlike, level)
    if test.alike_of_apart is not None:
        if not test.has_power:
            return per_hit._replace(estimate=None, low=0.0, high=1.0)
        f = max(f, test.alike_of_apart.estimate or 0.0)
        f_high = max(f_high, _ends(test.alike_of_apart, level)[1])
    repeats, reworded = test.alike_of_repeats, test.alike_of_reworded
    s, s_high = (1.0, 1.0) if repeats.estimate is None else (repeats.estimate, _ends(repeats, level)[1])
    if s - f < SEPARATION_MIN:
        return per_hit._replace(estimate=None, low=0.0, high=1.0)
    high = _in_unit(1 - (1 - per_hit.high - f_high) / (s_high - f_high))
    if reworded.trials < HITS_MIN:
        return per_hit._replace(estimate=None, low=0.0, high=high)
    s_low = _ends(reworded, level)[0]
    if s_low <= f_high:
        return per_hit._replace(estimate=None, low=0.0, high=1.0)
    low = _in_unit(1 - (1 - per_hit.low - f_low) / (s_low - f_low))
    return per_hit._replace(estimate=_in_unit(1 - (1 - (per_hit.estimate or 0.0) - f) / (s - f)), low=low, high=high)


def _ends(share: Share, level: float) -> tuple[float, float]:
    if not share.effective_trials or share.estimate is None:
        return 0.0, 1.0
    return clopper_pearson(share.estimate * share.effective_trials, share.effective_trials, level)


def _in_unit(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def _similarities(vectors: Vectors, norms: Int, answer: Int, one: Int, other: Int) -> Int32:
    left, right = answer[one], answer[other]
    # The same answer word for word is alike, also where its vector says nothing.
    return np.where(left == right, ONE, similarity_ppb(vectors, norms, left, right)).astype(np.int32)


def _unlike_pairs(answer: Int, node: Int) -> tuple[Int, Int]:
    """Pairs of requests with answers and different prompts, far from each other in the log."""
    known = np.flatnonzero((answer >= 0) & (node >= 0))
    if len(known) < 2:
        return known[:0], known[:0]
    step = max(1, len(known) * len(SHIFTS) // PAIRS_MAX)
    first = np.concatenate([np.arange(0, len(known), step) for _ in SHIFTS])
    away = np.repeat([max(1, int(len(known) * shift)) for shift in SHIFTS], len(first) // len(SHIFTS))
    one, other = known[first], known[(first + away) % len(known)]
    is_wanted = node[one] != node[other]
    return one[is_wanted], other[is_wanted]


def _repeat_pairs(answer: Int, node: Int) -> tuple[Int, Int]:
    """Each request with the one before it of the same prompt, where both have answers."""
    known = np.flatnonzero((answer >= 0) & (node >= 0))
    order = known[np.argsort(node[known], kind="stable")]
    is_same = node[order[1:]] == node[order[:-1]]
    one, other = order[1:][is_same], order[:-1][is_same]
    step = max(1, len(one) // PAIRS_MAX)
    return one[::step], other[::step]
