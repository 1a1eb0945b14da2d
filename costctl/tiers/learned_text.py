"""What a learned router says of one text after the other: the formula of `tiers/learned`, without arrays.

Arrays pay for many texts at once; where texts pass by one at a time, their overhead is most of the time.
"""

from __future__ import annotations

from hashlib import blake2b
from math import sqrt

import numpy as np

from costctl.tiers.form import FORM, TextReader
from costctl.tiers.learned import BEND, CLIP, Linear, Router, Shapes

KNOWN_MAX = 200_000
"""Distinct texts whose score is remembered: some 30 MB at most."""
COUNTS_MAX = 1_024
# Of the counts 0, 1, 2, ...: the same logarithms as those of `read_texts`, to the last bit.
_VALUES: list[float] = [0.0, *(1 + np.log(np.arange(1, COUNTS_MAX, dtype=np.float64))).tolist()]


def value_of(count: int) -> float:
    """1 + ln(count), as `read_texts` has it."""
    return _VALUES[count] if count < COUNTS_MAX else float(1 + np.log(np.float64(count)))


class TextScorer:
    """Gives `score_of` of each text, equal to that of arrays; equal texts are read once."""

    def __init__(self, router: Router) -> None:
        self._linear = [_Sum(one) for one in router.linear]
        self._shapes = router.shapes
        self._reader = TextReader(0 if router.shapes is None else len(router.shapes.idf))
        self._known: dict[bytes, float] = {}

    def __call__(self, text: str) -> float:
        """The mean of the members, in standard deviations of what they said of the labels."""
        name = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        known = self._known.get(name)
        if known is None:
            known = self._score(text)
            if len(self._known) < KNOWN_MAX:
                self._known[name] = known
        return known

    def _score(self, text: str) -> float:
        numbers, hits = self._reader.read(text)
        said = [(one.of(numbers) - one.shift) / one.scale for one in self._linear]
        if self._shapes is not None:
            said.append((_shaped(self._shapes, hits) - self._shapes.shift) / self._shapes.scale)
        return sum(said, 0.0) / max(len(said), 1)


class _Sum:
    """One linear member over the numbers of `FORM`."""

    def __init__(self, member: Linear) -> None:
        places = [FORM.index(name) for name in member.features]
        self._terms = list(zip(places, member.mean, member.sd, member.straight, member.bent, strict=True))
        self._intercept, self.shift, self.scale = member.intercept, member.shift, member.scale

    def of(self, numbers: list[float]) -> float:
        total = self._intercept
        for at, mean, sd, straight, bent in self._terms:
            u = (numbers[at] - mean) / sd
            clipped = min(max(u, -CLIP), CLIP)
            total += straight * clipped + bent * (min(abs(u), CLIP) - BEND)
        return total


def _shaped(member: Shapes, hits: dict[int, int]) -> float:
    weighted = squares = 0.0
    for bucket, count in hits.items():
        value = value_of(count) * member.idf[bucket]
        weighted += value * member.weights[bucket]
        squares += value * value
    return member.intercept + (weighted / sqrt(squares) if squares > 0 else 0.0)
