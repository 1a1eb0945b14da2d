"""Draws are a pure function of seed, call, purpose and attempt, and they are uniform."""

from __future__ import annotations

import numpy as np

from costctl.replay.draws import uniform

KEYS = np.arange(100_000, dtype=np.uint64)


def test_they_do_not_depend_on_chunks_or_order() -> None:
    whole = uniform(7, KEYS, "weights")
    assert np.array_equal(whole[500:900], uniform(7, KEYS[500:900], "weights"))
    assert np.array_equal(whole[::-1], uniform(7, KEYS[::-1], "weights"))


def test_seed_purpose_and_attempt_give_other_draws() -> None:
    drawn = [uniform(7, KEYS, "a"), uniform(8, KEYS, "a"), uniform(7, KEYS, "b"), uniform(7, KEYS, "a", 1)]
    for one in range(4):
        for other in range(one):
            assert abs(np.corrcoef(drawn[one], drawn[other])[0, 1]) < 0.02


def test_they_are_uniform() -> None:
    """Chi-square over 100 cells: the 0.1 % point with 99 degrees of freedom is 148."""
    counts = np.bincount((uniform(7, KEYS, "weights") * 100).astype(int), minlength=100)
    assert ((counts - 1000.0) ** 2 / 1000).sum() < 148
    assert uniform(7, KEYS, "weights").max() < 1
