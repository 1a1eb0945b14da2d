"""From labels to a router: a few small models that are plain numbers, and their calibration.

With few labels the form of the request and its length alone; from `SHAPES_FROM` labels on the shapes of the text
as well. Boosted trees on the same features were tried and added nothing (docs/learned-routing.md).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from costctl.errors import CostctlError
from costctl.tiers.form import FORM
from costctl.tiers.learned import (
    COLUMNS,
    Category,
    Inputs,
    Linear,
    Router,
    Shapes,
    Threshold,
    bent,
    effect_of,
    linear_of,
    score_of,
    shapes_of,
)

Real: TypeAlias = NDArray[np.float64]
Rows: TypeAlias = NDArray[np.int64]

BUCKETS = 8_192
SHAPES_FROM = 1_000
"""Labels from which the shapes of the text pay; below, length takes their place."""
STRENGTH = 0.003  # scikit-learn's C of the linear member: strong shrinkage, which unseen traffic rewards
LENGTH_STRENGTH = 1.0
RIDGE = 10.0
PSEUDO_COUNT = 20.0
"""Labels that a category's value must have to count half as much as all the others together."""
NOTHING_PROMISED = Threshold(0.0, None, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Sample:
    """Labelled requests: what a router reads of them, and how good each model's answer was (0 to 1)."""

    kind: str  # text | columns
    inputs: Inputs
    cheap: Real
    dear: Real

    @property
    def gain(self) -> Real:
        """1 where the dearer model is right and the cheaper one wrong."""
        return np.clip(self.dear - self.cheap, 0.0, 1.0)

    def take(self, rows: Rows) -> Sample:
        """Some of the requests, in this order."""
        return Sample(self.kind, take(self.inputs, rows), self.cheap[rows], self.dear[rows])


def take(inputs: Inputs, rows: Rows) -> Inputs:
    """Some of the requests, in this order."""
    place = np.full(inputs.count, -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    row = place[inputs.row]
    kept = np.flatnonzero(row >= 0)
    kept = kept[np.argsort(row[kept], kind="stable")]
    return Inputs(
        len(rows), {name: column[rows] for name, column in inputs.features.items()}, row[kept], inputs.bucket[kept],
        inputs.value[kept], {name: [values[at] for at in rows] for name, values in inputs.categories.items()},
    )  # fmt: skip


def needs_sklearn() -> None:
    """Say what is missing before any work is done.

    Raises:
        CostctlError: E454 without scikit-learn.
    """
    try:
        import sklearn  # noqa: F401, PLC0415
    except ImportError as error:
        raise CostctlError(
            "E454", "training a router needs scikit-learn", "pip install 'costctl[learned]'; using one does not"
        ) from error


def fit(sample: Sample) -> Router:
    """A router from all labels of a sample; not calibrated, and without a threshold."""
    gain, inputs = sample.gain, sample.inputs
    names = FORM if sample.kind == "text" else COLUMNS
    is_many = sample.kind == "text" and inputs.count >= SHAPES_FROM
    length = length_name(sample)
    linear = [_linear(inputs, gain, names, STRENGTH)]
    if not is_many and length in inputs.features:
        linear.append(_linear(inputs, gain, (length,), LENGTH_STRENGTH, is_bent=False))
    shapes = _shapes(inputs, gain) if is_many else None
    categories = tuple(_category(name, inputs, gain) for name in inputs.categories)
    return Router(
        sample.kind, tuple(one for one in linear if one.features), shapes, categories, 1.0, 0.0, NOTHING_PROMISED,
        None, None, inputs.count, is_forced=False,
    )  # fmt: skip


def length_name(sample: Sample) -> str:
    """The feature that says how long a request is."""
    if sample.kind == "text":
        return "chars"
    known = (name for name in ("user_chars", "input_tokens") if not np.isnan(sample.inputs.features[name]).all())
    return next(known, "input_tokens")


def _weighted(gain: Real) -> tuple[Rows, NDArray[np.int64], Real]:
    """Rows, classes and weights that say the same as graded labels: each row once per class that it half belongs to."""
    rows = np.concatenate([np.flatnonzero(gain > 0), np.flatnonzero(gain < 1)])
    classes = np.concatenate([np.ones(int((gain > 0).sum()), int), np.zeros(int((gain < 1).sum()), int)])
    return rows, classes, np.where(classes == 1, gain[rows], 1 - gain[rows])


def _logistic(columns: Real, gain: Real, strength: float) -> tuple[Real, float]:
    """Weights and intercept of a logistic regression with shrinkage; without columns the log odds alone."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    rows, classes, weights = _weighted(gain)
    if not columns.shape[1] or not 0 < classes.sum() < len(classes):
        share = float(np.clip(gain.mean(), 0.001, 0.999))
        return np.zeros(columns.shape[1]), float(np.log(share / (1 - share)))
    model = LogisticRegression(C=strength, max_iter=1000, tol=1e-6).fit(columns[rows], classes, sample_weight=weights)
    return np.asarray(model.coef_[0], dtype=np.float64), float(model.intercept_[0])


def _linear(inputs: Inputs, gain: Real, names: tuple[str, ...], strength: float, *, is_bent: bool = True) -> Linear:
    kept, mean, sd, straight, curved = [], [], [], [], []
    for name in names:
        column = inputs.features[name]
        known = column[~np.isnan(column)]
        if len(known) < 2 or known.std() < 1e-9:
            continue
        kept.append(name)
        mean.append(float(known.mean()))
        sd.append(float(known.std()))
        first, second = bent(column, mean[-1], sd[-1])
        straight.append(first)
        curved.append(second)
    if not kept:
        return Linear((), (), (), (), (), 0.0)
    columns = np.column_stack([*straight, *curved] if is_bent else straight)
    weights, intercept = _logistic(columns, gain, strength)
    second_weights = weights[len(kept) :] if is_bent else np.zeros(len(kept))
    member = Linear(
        tuple(kept), tuple(mean), tuple(sd), _floats(weights[: len(kept)]), _floats(second_weights), intercept
    )
    said = linear_of(member, inputs)
    return replace(member, shift=float(said.mean()), scale=_spread(said))


def _shapes(inputs: Inputs, gain: Real) -> Shapes:
    from scipy.sparse import csr_matrix  # noqa: PLC0415
    from sklearn.linear_model import Ridge  # noqa: PLC0415

    met = np.bincount(inputs.bucket, minlength=BUCKETS)
    idf = np.log((1 + inputs.count) / (1 + met)) + 1
    idf[met < max(2, inputs.count // 800)] = 0  # too rare to say anything of other requests
    value = inputs.value * idf[inputs.bucket]
    length = np.sqrt(np.bincount(inputs.row, value * value, inputs.count))
    value = value / np.where(length > 0, length, 1.0)[inputs.row]
    matrix = csr_matrix((value, (inputs.row, inputs.bucket)), shape=(inputs.count, BUCKETS))
    model = Ridge(alpha=RIDGE, solver="lsqr", tol=1e-4).fit(matrix, gain)
    member = Shapes(_floats(idf), _floats(np.asarray(model.coef_)), float(model.intercept_))
    said = shapes_of(member, inputs)
    return replace(member, shift=float(said.mean()), scale=_spread(said))


def _category(name: str, inputs: Inputs, gain: Real) -> Category:
    """Log odds of the gain of each value beside the whole, drawn towards the whole where labels are few."""
    whole = float(np.clip(gain.mean(), 0.001, 0.999))
    values = np.array(["" if one is None else one for one in inputs.categories[name]], dtype=object)
    effects: dict[str, float] = {}
    for value in sorted(set(values.tolist()) - {""}):
        here = gain[values == value]
        share = (float(here.sum()) + PSEUDO_COUNT * whole) / (len(here) + PSEUDO_COUNT)
        effects[value] = float(np.log(share / (1 - share)) - np.log(whole / (1 - whole)))
    return Category(name, 0.0, effects)


def parts_of(router: Router, inputs: Inputs) -> Real:
    """What calibration weighs: the score of the members, then the effect of each category."""
    return np.column_stack([score_of(router, inputs), *(effect_of(one, inputs) for one in router.categories)])


def calibration(parts: Real, gain: Real) -> tuple[Real, float]:
    """Slopes of the parts and an intercept that fit labels which the parts have not seen (Platt 1999).

    No slope is below 0: a part that only looks useful upside down says nothing. It is left out, and the
    others are fitted again.
    """
    used = list(range(parts.shape[1]))
    slopes, intercept = np.zeros(parts.shape[1]), 0.0
    while True:
        weights, intercept = _logistic(parts[:, used], gain, 1.0)
        if (weights >= 0).all():
            slopes[used] = weights
            return slopes, intercept
        used = [at for at, weight in zip(used, weights, strict=True) if weight > 0]


def gains(parts: Real, slopes: Real, intercept: float) -> Real:
    """The calibrated chance of a gain."""
    chance: Real = 1 / (1 + np.exp(-np.clip(intercept + parts @ slopes, -50, 50)))
    return chance


def with_calibration(router: Router, slopes: Real, intercept: float) -> Router:
    """The router with these slopes, of the members' score first and then of each category."""
    first, *others = slopes.tolist()
    categories = (replace(one, slope=slope) for one, slope in zip(router.categories, others, strict=True))
    return replace(router, slope=first, intercept=intercept, categories=tuple(one for one in categories if one.slope))


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(np.asarray(values, dtype=np.float64).tolist())


def _spread(said: Real) -> float:
    return max(float(said.std()), 1e-6)
