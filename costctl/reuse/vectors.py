"""Vectors of texts, rounded to small whole numbers, and the similarity that is defined on them.

A dot product of floating point numbers depends in its last bits on the order of the sum, and with it
on threads and machine. Each vector is rounded to whole numbers once; then every dot product is a whole
number below 2^24, which single precision holds exactly in any order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Int = NDArray[np.int64]
Int32 = NDArray[np.int32]
Real = NDArray[np.float64]
Vectors = NDArray[np.int8]

LEVEL = 127  # the largest entry of a vector becomes this
EXACT_SUM = 2**24 - 1  # single precision counts so far without a gap
ONE = 1_000_000_000  # similarity 1 in parts per billion
CHUNK_PAIRS = 512  # so many pairs of vectors stay in the processor's cache


def rounded(values: NDArray[Any]) -> Vectors:
    """Each row scaled so that its largest entry is 127 (less above 1,040 dimensions), then rounded.

    A row of zeros stays so: it is like nothing but itself. Raises ValueError for values that are not finite.

    >>> rounded(np.array([[0.5, -1.0], [0.0, 0.0]])).tolist()
    [[64, -127], [0, 0]]
    """
    values = np.asarray(values, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("a vector holds a value that is not a finite number")
    largest = np.abs(values).max(axis=1, initial=0, keepdims=True)
    largest[largest == 0] = 1
    whole: Vectors = np.rint(values * level(values.shape[1]) / largest).astype(np.int8)
    return whole


def level(dimensions: int) -> int:
    """What the largest entry becomes: small enough that every dot product is exact."""
    return min(LEVEL, int((EXACT_SUM / max(dimensions, 1)) ** 0.5))


def squared_norms(vectors: Vectors) -> Int:
    """The dot product of each vector with itself."""
    norms = np.empty(len(vectors), dtype=np.int64)
    for start in range(0, len(vectors), CHUNK_PAIRS):
        part = vectors[start : start + CHUNK_PAIRS].astype(np.float32)
        norms[start : start + CHUNK_PAIRS] = np.vecdot(part, part)
    return norms


def similarity_ppb(vectors: Vectors, norms: Int, left: NDArray[Any], right: NDArray[Any]) -> Int32:
    """The cosine of pairs of vectors in parts per billion; `norms` are the squared norms of all.

    >>> pair = np.array([[3, 4], [4, 3]], dtype=np.int8)
    >>> similarity_ppb(pair, squared_norms(pair), np.array([0]), np.array([1])).tolist()
    [960000000]
    """
    found = np.empty(len(left), dtype=np.int32)
    for start in range(0, len(left), CHUNK_PAIRS):
        part = slice(start, start + CHUNK_PAIRS)
        one, other = left[part], right[part]
        dots = np.vecdot(vectors[one].astype(np.float32), vectors[other].astype(np.float32))
        found[part] = as_ppb(dots.astype(np.float64), norms[one] * norms[other])
    return found


def as_ppb(dots: Real, norm_products: Int) -> Int32:
    """Exact dot products and products of squared norms as cosines in parts per billion."""
    lengths = np.sqrt(np.maximum(norm_products, 1).astype(np.float64))
    ppb: Int32 = np.rint(dots / lengths * ONE).astype(np.int32)
    return ppb
