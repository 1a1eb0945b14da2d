"""Uniform draws that are a pure function of what they are for.

A draw is named by seed, call, purpose and attempt, so that it is the same in every order, chunk and
thread, and the same for every policy: policies then differ by what they do and not by their luck
(common random numbers).
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Real = NDArray[np.float64]
# The step between states and the finaliser are those of SplitMix64: Steele, Lea and Flood, "Fast splittable
# pseudorandom number generators", OOPSLA 2014; constants of the finaliser by Stafford (variant 13).
STEP = 0x9E3779B97F4A7C15
WORD = 2**64 - 1


def uniform(seed: int, call_keys: Keys, purpose: str, attempt: int | NDArray[np.integer[Any]] = 0) -> Real:
    """Draws in [0, 1) with 53 bits, one for each call key; `attempt` is 0 or more and broadcasts against the keys.

    Keys are stable 64-bit names of calls and need not look random.

    >>> uniform(1, np.array([7, 8], dtype=np.uint64), "attempt").round(6).tolist()
    [0.381826, 0.816789]
    """
    state = _mixed(np.asarray(call_keys, dtype=np.uint64) + np.uint64(_stream(seed, purpose)))
    if isinstance(attempt, int):
        # The product of two numpy scalars would warn where it wraps around; that of two Python numbers does not.
        state += np.uint64((attempt + 1) * STEP & WORD)
    else:
        state = state + (attempt.astype(np.uint64) + np.uint64(1)) * np.uint64(STEP)
    return (_mixed(state) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _stream(seed: int, purpose: str) -> int:
    """A 64-bit number for a seed and a purpose; near seeds and like purposes give unlike numbers."""
    digest = hashlib.blake2b(f"{seed}:{purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _mixed(state: Keys) -> Keys:
    """The finaliser of SplitMix64, a bijection of 64-bit words; works in place."""
    state ^= state >> np.uint64(30)
    state *= np.uint64(0xBF58476D1CE4E5B9)
    state ^= state >> np.uint64(27)
    state *= np.uint64(0x94D049BB133111EB)
    state ^= state >> np.uint64(31)
    return state
