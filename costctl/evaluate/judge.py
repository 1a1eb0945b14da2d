"""How a router is judged: on labels it has not seen, beside simpler ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from costctl.evaluate.curve import Quality, quality
from costctl.evaluate.fit import Rows, Sample, calibration, fit, gains, length_name, parts_of
from costctl.tiers.learned import Real

Fold: TypeAlias = tuple[Rows, Rows]
"""Rows to learn from, and rows to judge by."""
Learner: TypeAlias = Callable[[Rows, Rows], Real]
"""From rows to learn from and rows to ask for: a score of each of the latter."""

FOLDS = 5
GROUP_FOLDS = 10
GROUPS_MIN = 3
NEIGHBOURS = 50
WORD_BUCKETS = 2**18
RESAMPLES = 300
IN_FOLD, UNSEEN = "in fold", "unseen groups"
LEARNED, LENGTH, RANDOM, ORACLE = "learned", "length alone", "random", "oracle"


class Judged(NamedTuple):
    """One router on one split: its figures, and how it scored each request; higher is likelier to gain."""

    split: str
    router: str
    quality: Quality | None
    score: Real


def folds_of(count: int, seed: int, same: Sequence[str] | None = None) -> list[Fold]:
    """The rows cut into five parts at random; each part is judged by what the others teach.

    Rows with the same text go to the same part: a router that has seen the very request proves nothing.
    """
    code = np.arange(count) if same is None else np.unique(np.array(same, dtype=object), return_inverse=True)[1]
    part = (np.random.default_rng(seed).permutation(count) % FOLDS)[code]
    return [(np.flatnonzero(part != one), np.flatnonzero(part == one)) for one in range(FOLDS)]


def group_folds_of(groups: Sequence[str], seed: int) -> list[Fold]:
    """Up to ten parts of whole groups, so that no group stands on both sides; none with fewer than three groups."""
    names, code = np.unique(np.array(groups, dtype=np.str_), return_inverse=True)
    if len(names) < GROUPS_MIN:
        return []
    part = np.empty(len(names), dtype=np.int64)
    part[np.random.default_rng(seed).permutation(len(names))] = np.arange(len(names)) % GROUP_FOLDS
    return [
        (np.flatnonzero(part[code] != one), np.flatnonzero(part[code] == one))
        for one in range(min(GROUP_FOLDS, len(names)))
    ]


def crossed_parts(sample: Sample, folds: Sequence[Fold]) -> Real:
    """What routers said of rows that they had not seen: their score and the effects of the categories."""
    parts = np.zeros((sample.inputs.count, 1 + len(sample.inputs.categories)))
    for learn, ask in folds:
        parts[ask] = parts_of(fit(sample.take(learn)), sample.take(ask).inputs)
    return parts


def judge(
    sample: Sample, texts: Sequence[str] | None, folds: Sequence[Fold], split: str, seed: int,
    parts: Real | None = None,
) -> list[Judged]:  # fmt: skip
    """The learned router on one split, with everything that it has to beat beside it.

    `parts` are those of `crossed_parts` on the same folds, where they are known already.
    """
    parts = crossed_parts(sample, folds) if parts is None else parts
    learned = gains(parts, *calibration(parts, sample.gain))
    return [
        _judged(split, LEARNED, learned, sample),
        *(
            _judged(split, name, _out_of_fold(learner, folds, sample.inputs.count), sample)
            for name, learner in learners(sample, texts)
        ),
        *beside(sample, split, seed),
    ]


def judge_on(
    sample: Sample, texts: Sequence[str] | None, other: Sample, other_texts: Sequence[str] | None, score: Real,
    split: str, seed: int,
) -> list[Judged]:  # fmt: skip
    """A router that learned from all of `sample` on another labelled set, which it scores with `score`."""
    count, both = sample.inputs.count, joined(sample, other)
    whole = None if texts is None or other_texts is None else [*texts, *other_texts]
    learn, ask = np.arange(count), np.arange(count, both.inputs.count)
    return [
        _judged(split, LEARNED, score, other),
        *(_judged(split, name, learner(learn, ask), other) for name, learner in learners(both, whole)),
        *beside(other, split, seed),
    ]


def joined(first: Sample, second: Sample) -> Sample:
    """Both samples, one after the other."""
    one, two = first.inputs, second.inputs
    features = {name: np.concatenate([one.features[name], two.features[name]]) for name in one.features}
    inputs = type(one)(
        one.count + two.count, features, np.concatenate([one.row, two.row + one.count]),
        np.concatenate([one.bucket, two.bucket]), np.concatenate([one.value, two.value]), {},
    )  # fmt: skip
    return Sample(
        first.kind, inputs, np.concatenate([first.cheap, second.cheap]), np.concatenate([first.dear, second.dear])
    )


def _judged(split: str, router: str, score: Real, sample: Sample) -> Judged:
    return Judged(split, router, quality(score, sample.cheap, sample.dear), score)


def _out_of_fold(learner: Learner, folds: Sequence[Fold], count: int) -> Real:
    score = np.zeros(count)
    for learn, ask in folds:
        score[ask] = learner(learn, ask)
    return score


def learners(sample: Sample, texts: Sequence[str] | None) -> Iterator[tuple[str, Learner]]:
    """The common ways to learn a router from words; without texts there is none."""
    if texts is None:
        return
    counts, gain = _word_counts(texts), sample.gain
    yield "TF-IDF alone", lambda learn, ask: _ridge_of_words(counts, gain, learn, ask)
    yield "kNN", lambda learn, ask: _neighbours(counts, gain, learn, ask)


def beside(sample: Sample, split: str, seed: int) -> Iterator[Judged]:
    """What needs no learning: the longer ones to the dearer model, chance, and knowing all answers."""
    length = sample.inputs.features[length_name(sample)]
    yield _judged(split, LENGTH, np.nan_to_num(length, nan=float("-inf")) if np.isnan(length).any() else length, sample)
    yield _judged(split, RANDOM, np.random.default_rng(seed).random(sample.inputs.count), sample)
    yield _judged(split, ORACLE, sample.dear - sample.cheap, sample)


def _word_counts(texts: Sequence[str]) -> Any:
    """How often each text holds each word and pair of words, hashed."""
    from sklearn.feature_extraction.text import HashingVectorizer  # noqa: PLC0415

    words = HashingVectorizer(ngram_range=(1, 2), n_features=WORD_BUCKETS, alternate_sign=False, norm=None)
    return words.transform(texts)


def _weighted(counts: Any, learn: Rows, ask: Rows) -> tuple[Any, Any]:
    """TF-IDF vectors of length 1, weighted by what the learned rows hold."""
    from sklearn.feature_extraction.text import TfidfTransformer  # noqa: PLC0415

    weights = TfidfTransformer(sublinear_tf=True)
    return weights.fit_transform(counts[learn]), weights.transform(counts[ask])


def _ridge_of_words(counts: Any, gain: Real, learn: Rows, ask: Rows) -> Real:
    from sklearn.linear_model import Ridge  # noqa: PLC0415

    known, asked = _weighted(counts, learn, ask)
    return np.asarray(Ridge(alpha=5.0, solver="lsqr", tol=1e-3).fit(known, gain[learn]).predict(asked))


def _neighbours(counts: Any, gain: Real, learn: Rows, ask: Rows) -> Real:
    """The mean gain of the fifty nearest requests by the cosine of their TF-IDF vectors."""
    from sklearn.neighbors import KNeighborsRegressor  # noqa: PLC0415

    known, asked = _weighted(counts, learn, ask)
    model = KNeighborsRegressor(min(NEIGHBOURS, len(learn)), metric="cosine", algorithm="brute")
    return np.asarray(model.fit(known, gain[learn]).predict(asked))


def resampled(scores: Sequence[Real], sample: Sample, seed: int) -> Real:
    """The APGR of each score (columns) on resamples of the requests (rows).

    Paired bootstrap: all scores are judged on the same draws, so that their differences keep what they share.
    """
    draws, found = np.random.default_rng(seed), []
    for _ in range(RESAMPLES):
        rows = draws.integers(0, sample.inputs.count, sample.inputs.count)
        cheap, dear = sample.cheap[rows], sample.dear[rows]
        judged = [quality(one[rows], cheap, dear) for one in scores]
        if all(one is not None for one in judged):
            found.append([one.apgr for one in judged if one is not None])
    return np.array(found).reshape(len(found), len(scores))
