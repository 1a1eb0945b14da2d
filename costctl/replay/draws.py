"""Chance that belongs to the call: the same draws for every policy, order, chunk and thread."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def uniform(seed: int, call_keys: NDArray[np.uint64], purpose: str, attempt: int = 0) -> NDArray[np.float64]:
    """One number in [0, 1) per call, a pure function of the arguments: common random numbers.

    A counter-based generator with the finaliser of splitmix64 (Steele, Lea and Flood, 2014).
    """
    named = blake2b(f"{seed}\0{purpose}\0{attempt}".encode(), digest_size=8).digest()
    stream = np.uint64(int.from_bytes(named, "big"))
    with np.errstate(over="ignore"):
        mixed = _mixed(call_keys ^ _mixed(np.atleast_1d(stream)))
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mixed(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    value = value + _GOLDEN
    value = (value ^ (value >> np.uint64(30))) * _FIRST
    value = (value ^ (value >> np.uint64(27))) * _SECOND
    return value ^ (value >> np.uint64(31))
