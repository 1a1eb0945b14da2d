"""A learned router as plain data, and what it says of a request: the chance that the dearer model gains.

Gain: the dearer model is right and the cheaper one wrong. For one request:

    u = (x - mean) / sd                     each feature x; unknown: both terms are 0
    linear = intercept + sum(straight * clip(u, -2.5, 2.5) + bent * (min(|u|, 2.5) - 0.8))
    v = (1 + ln(count)) * idf               each bucket that runs of shapes hit (tiers/form.py)
    shapes = intercept + sum(weight * v) / sqrt(sum(v * v))
    score = mean over the members of (member - shift) / scale
    gain = 1 / (1 + exp(-(intercept + slope * score + sum(category slope * effect of its value))))

A request whose gain is below the threshold goes to the cheaper model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from costctl.tiers.fields import PACKED, unpacked_sql
from costctl.tiers.form import FORM, TextReader

Real: TypeAlias = NDArray[np.float64]

CLIP = 2.5
BEND = 0.8
"""About the mean of |u| of a normal variable, so that a bent term is 0 on average."""

CATEGORIES = ("endpoint", "app", "intent", "language")
"""Who asks and what for; a value that was not learned says nothing."""

_COUNTS = (
    "prompt_chars", "system_chars", "history_chars", "tool_chars", "user_chars", "turn_count", "tool_count",
    "input_tokens",
)  # fmt: skip
COLUMNS: tuple[str, ...] = (*PACKED, *_COUNTS, "has_image")
"""What a log without text still says of a request; each as log(1 + n)."""


def column_sql(name: str) -> str:
    """The SQL of one of `COLUMNS` over the view `request`: log(1 + n), NaN where the log does not say."""
    raw = unpacked_sql(name) if name in PACKED else name
    return f"coalesce(ln(1 + CAST({raw} AS DOUBLE)), 'nan'::DOUBLE)"


@dataclass(frozen=True)
class Linear:
    """A weighted sum of standardised features and of how far each is from its mean."""

    features: tuple[str, ...]
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    straight: tuple[float, ...]
    bent: tuple[float, ...]
    intercept: float
    shift: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True)
class Shapes:
    """A weighted sum over hashed runs of one to three shapes of a text, as a vector of length 1."""

    idf: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float
    shift: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True)
class Category:
    """What it adds that a column has a value: `effects` by value, weighted by `slope`."""

    column: str
    slope: float
    effects: Mapping[str, float]


@dataclass(frozen=True)
class Threshold:
    """Below which gain a request goes to the cheaper model, and what was promised for it.

    `loss_bound_ratio` bounds, with the chance `confidence_ratio`, the share of all requests that the cheaper
    model gets wrong although the dearer one has them right; None where no cheap share could be promised, and
    then `gain_below` is 0: everything goes to the dearer model. `loss_ratio` and `cheap_ratio` were seen among
    the labels.
    """

    gain_below: float
    loss_bound_ratio: float | None
    confidence_ratio: float
    loss_ratio: float
    cheap_ratio: float


@dataclass(frozen=True)
class Router:
    """Everything that decides; `evidence` is how it was judged, for people."""

    inputs: str  # text | columns
    linear: tuple[Linear, ...]
    shapes: Shapes | None
    categories: tuple[Category, ...]
    slope: float
    intercept: float
    threshold: Threshold
    cheap_model: str | None
    dear_model: str | None
    label_count: int
    is_forced: bool
    evidence: tuple[Mapping[str, Any], ...] = field(default=())

    @property
    def needs_text(self) -> bool:
        """Whether it reads the text of the last user message rather than columns of the log."""
        return self.inputs == "text"


@dataclass(frozen=True)
class Inputs:
    """Requests to score: features by name (FORM or COLUMNS), hits of buckets, categories by column."""

    count: int
    features: Mapping[str, Real]
    row: NDArray[np.int64]  # of each hit bucket
    bucket: NDArray[np.int64]
    value: Real  # 1 + ln(count)
    categories: Mapping[str, Sequence[str | None]]


NO_HITS = np.zeros(0, dtype=np.int64)


class Coded(Sequence[str | None]):
    """Values of a category as numbers into their texts, -1 for none: millions of requests need no loop."""

    def __init__(self, code: NDArray[np.int64], texts: Sequence[str]) -> None:
        self.code, self.texts = code, texts

    def __len__(self) -> int:
        return len(self.code)

    def __getitem__(self, at: Any) -> Any:
        found = int(self.code[at])
        return self.texts[found] if found >= 0 else None


def read_texts(
    texts: Sequence[str], buckets: int, categories: Mapping[str, Sequence[str | None]] | None = None
) -> Inputs:
    """What a router of kind `text` reads; with `buckets` 0 only the numbers of the form."""
    reader = TextReader(buckets)
    numbers, row, bucket, count = np.empty((len(texts), len(FORM))), list[int](), list[int](), list[int]()
    for position, text in enumerate(texts):
        numbers[position], hits = reader.read(text)
        row += [position] * len(hits)
        bucket += hits.keys()
        count += hits.values()
    features = {name: np.ascontiguousarray(numbers[:, at]) for at, name in enumerate(FORM)}
    values = 1 + np.log(np.array(count, dtype=np.float64))
    return Inputs(
        len(texts), features, np.array(row, dtype=np.int64), np.array(bucket, dtype=np.int64), values, categories or {}
    )


def read_columns(features: Mapping[str, Real], categories: Mapping[str, Sequence[str | None]], count: int) -> Inputs:
    """What a router of kind `columns` reads: arrays by `COLUMNS` (made by `column_sql`) and by `CATEGORIES`."""
    return Inputs(count, features, NO_HITS, NO_HITS, np.zeros(0), categories)


def bent(column: Real, mean: float, sd: float) -> tuple[Real, Real]:
    """The two terms of a feature; 0 where it is unknown."""
    u = (column - mean) / sd
    is_known = ~np.isnan(u)
    u = np.where(is_known, u, 0.0)
    return np.clip(u, -CLIP, CLIP), np.where(is_known, np.minimum(np.abs(u), CLIP) - BEND, 0.0)


def linear_of(member: Linear, inputs: Inputs) -> Real:
    """The weighted sum, not yet shifted and scaled."""
    total = np.full(inputs.count, member.intercept)
    for at, name in enumerate(member.features):
        straight, curved = bent(inputs.features[name], member.mean[at], member.sd[at])
        total += member.straight[at] * straight + member.bent[at] * curved
    return total


def shapes_of(member: Shapes, inputs: Inputs) -> Real:
    """The weighted sum of the unit vector, not yet shifted and scaled."""
    value = inputs.value * np.array(member.idf)[inputs.bucket]
    weighted = np.bincount(inputs.row, value * np.array(member.weights)[inputs.bucket], inputs.count)
    length = np.sqrt(np.bincount(inputs.row, value * value, inputs.count))
    return member.intercept + np.divide(weighted, length, out=np.zeros(inputs.count), where=length > 0)


def score_of(router: Router, inputs: Inputs) -> Real:
    """The mean of the members, in standard deviations of what they said of the labels."""
    said = [(linear_of(one, inputs) - one.shift) / one.scale for one in router.linear]
    if router.shapes is not None:
        said.append((shapes_of(router.shapes, inputs) - router.shapes.shift) / router.shapes.scale)
    total = np.zeros(inputs.count)
    for one in said:
        total += one
    return total / max(len(said), 1)


def effect_of(category: Category, inputs: Inputs) -> Real:
    """What is known of each request's value of the column; 0 where nothing is."""
    values = inputs.categories.get(category.column)
    if values is None:
        return np.zeros(inputs.count)
    if isinstance(values, Coded):
        found: Real = np.array([*(category.effects.get(text, 0.0) for text in values.texts), 0.0])[values.code]
        return found
    return np.array([0.0 if one is None else category.effects.get(one, 0.0) for one in values])


def score(router: Router, inputs: Inputs) -> Real:
    """The chance from 0 to 1 that the dearer model gains, of each request."""
    return gain_of(router, score_of(router, inputs), inputs)


def gain_of(router: Router, said: Real, inputs: Inputs) -> Real:
    """The same where `score_of` is known; of `inputs` only the categories are read."""
    logit = router.intercept + router.slope * said
    for category in router.categories:
        logit += category.slope * effect_of(category, inputs)
    gain: Real = 1 / (1 + np.exp(-np.clip(logit, -50, 50)))
    return gain


def score_texts(
    router: Router, texts: Sequence[str], categories: Mapping[str, Sequence[str | None]] | None = None
) -> Real:
    """The gains of requests whose last user messages these are."""
    buckets = len(router.shapes.idf) if router.shapes is not None else 0
    return score(router, read_texts(texts, buckets, categories))


def goes_dear(router: Router, gain: Real, min_confidence: float | None = None) -> NDArray[np.bool_]:
    """Which requests go to the dearer model.

    With `min_confidence` those whose chance that the cheaper model does as well (1 - gain) is below it, else
    those whose gain is at or above the threshold of the file.
    """
    return gain >= router.threshold.gain_below if min_confidence is None else 1 - gain < min_confidence
