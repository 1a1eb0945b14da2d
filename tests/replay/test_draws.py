"""Draws are a function of seed, call, purpose and attempt alone, and look like chance."""

from __future__ import annotations

import numpy as np
import pytest

from costctl.replay import draws
from costctl.replay.draws import STEP, uniform

COUNT = 200_000
KEYS = np.arange(COUNT, dtype=np.uint64)  # the least random keys there are
REFERENCE = (
    [0.4030121061244747, 0.5014775614383901, 0.5543693493005255],
    [0.549349448846534, 0.46164801387851795, 0.6109125694228066],
    [0.5587657328714144, 0.5718628614509036, 0.3754623541751063],
)


def slow_uniform(seed: int, key: int, purpose: str, attempt: int) -> float:
    """The same in plain Python integers; the numbers of seed and purpose are taken as given."""

    def mixed(word: int) -> int:
        word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        word = (word ^ word >> 27) * 0x94D049BB133111EB % 2**64
        return word ^ word >> 31

    state = mixed((key + draws._stream(seed, purpose)) % 2**64)
    return (mixed((state + (attempt + 1) * STEP) % 2**64) >> 11) / 2**53


def test_the_mixing_is_that_of_splitmix64() -> None:
    """The first words of the published generator from seed 0."""
    states = np.array([STEP, 2 * STEP % 2**64, 3 * STEP % 2**64], dtype=np.uint64)
    assert draws._mixed(states).tolist() == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


def test_reference_values() -> None:
    """A change of these changes every projection that was ever printed."""
    keys = np.array([0, 1, 2**64 - 1], dtype=np.uint64)
    assert uniform(0, keys, "attempt").tolist() == REFERENCE[0]
    assert uniform(-5, keys, "weights", 3).tolist() == REFERENCE[1]
    assert uniform(2**70, keys, "", np.array([0, 1, 70_000])).tolist() == REFERENCE[2]


def test_it_agrees_with_plain_integers() -> None:
    rng = np.random.default_rng(1)
    keys = rng.integers(0, 2**64, 200, dtype=np.uint64)
    attempts = rng.integers(0, 2**20, 200)
    found = uniform(9, keys, "p", attempts).tolist()
    expected = [slow_uniform(9, *pair) for pair in zip(keys.tolist(), ["p"] * 200, attempts.tolist(), strict=True)]
    assert found == expected
    assert uniform(9, keys, "p", 4).tolist() == [slow_uniform(9, key, "p", 4) for key in keys.tolist()]


@pytest.mark.parametrize(("purpose", "attempt"), [("attempt", 0), ("attempt", 1), ("weights", 0), ("arm", 7)])
def test_draws_are_uniform(purpose: str, attempt: int) -> None:
    """Chi-square of 256 equal bins: mean 255, standard deviation 22.6; also of the 10 lowest bits."""
    u = uniform(3, KEYS, purpose, attempt)
    assert u.min() >= 0
    assert u.max() < 1
    assert 170 < chi_square((u * 256).astype(int), 256) < 350
    low = (u * 2**53).astype(np.int64) & 1023
    assert 850 < chi_square(low, 1024) < 1210


def chi_square(bins: np.ndarray, count: int) -> float:
    observed = np.bincount(bins, minlength=count)
    expected = len(bins) / count
    return float(((observed - expected) ** 2 / expected).sum())


def test_neighbours_of_every_kind_are_independent() -> None:
    """Between purposes, attempts, seeds and neighbouring calls: no correlation, and 16 x 16 cells equally full."""
    base = uniform(3, KEYS, "attempt")
    others = [
        uniform(3, KEYS, "attempt", 1),
        uniform(3, KEYS, "attempt", 1 << 16),
        uniform(3, KEYS, "attempts"),
        uniform(4, KEYS, "attempt"),
        uniform(3, KEYS + np.uint64(1), "attempt"),
    ]
    for other in others:
        assert abs(np.corrcoef(base, other)[0, 1]) < 4 / COUNT**0.5
        cells = (base * 16).astype(int) * 16 + (other * 16).astype(int)
        assert 170 < chi_square(cells, 256) < 350


def test_chunks_and_order_do_not_matter() -> None:
    whole = uniform(3, KEYS, "attempt", 2)
    parts = np.concatenate([uniform(3, part, "attempt", 2) for part in np.array_split(KEYS, 7)])
    assert (whole == parts).all()
    order = np.random.default_rng(0).permutation(COUNT)
    assert (uniform(3, KEYS[order], "attempt", 2) == whole[order]).all()
    assert (uniform(3, KEYS, "attempt", np.full(COUNT, 2)) == whole).all()
    assert (KEYS == np.arange(COUNT)).all()  # the keys are left as they were
    assert uniform(3, KEYS[:0], "attempt").tolist() == []
