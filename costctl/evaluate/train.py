"""`train-router`: learn, judge, promise, and say whether the router may be used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from costctl.errors import CostctlError, ExitCode
from costctl.evaluate.bounds import Promise, promise
from costctl.evaluate.curve import curve
from costctl.evaluate.fit import Sample, calibration, fit, gains, needs_sklearn, with_calibration
from costctl.evaluate.judge import (
    IN_FOLD,
    LEARNED,
    LENGTH,
    ORACLE,
    RANDOM,
    UNSEEN,
    Fold,
    Judged,
    crossed_parts,
    folds_of,
    group_folds_of,
    judge,
    judge_on,
    resampled,
)
from costctl.evaluate.labels import Labels
from costctl.report import Report, Table, Value, Warning, counted
from costctl.tiers.learned import Real, Router, Threshold, score
from costctl.tiers.router_file import dump_router, parse_router

LABELS_MIN = 100
GAINS_MIN = 10
LOSSES = (0.01, 0.02, 0.05, 0.10)
"""Bounds on the loss that the table `promises` shows, beside the one asked for."""
BINS = 5
DRAWN = (LEARNED, LENGTH, RANDOM, ORACLE)
"""Routers whose whole curve is told."""
DIGITS = 4
CHANCE = 0.5  # the APGR of a router that draws
UNSURE = 0.05
"""A router must beat chance in all but this share of resamples."""
SAID = "no router was written; --force writes it all the same, marked as forced"


@dataclass(frozen=True)
class Options:
    """How to train: the promised bound on the loss, its confidence, and what is drawn."""

    max_loss_ratio: float = 0.02
    confidence_ratio: float = 0.9
    seed: int = 7
    is_forced: bool = False


@dataclass(frozen=True)
class Trained:
    """The router, None where it was refused, and what was found."""

    router: Router | None
    report: Report


@dataclass
class _Found:
    """What the report will say."""

    totals: dict[str, Value] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    warnings: list[Warning] = field(default_factory=list)

    def tell(self, name: str, value: Value, status: str) -> None:
        self.totals[name], self.status[name] = value, status


def train(labels: Labels, options: Options, other: tuple[str, Labels] | None = None) -> Trained:
    """Learn from labels, judge in fold, on unseen groups and on another labelled set (name and labels).

    Raises:
        CostctlError: E454 without scikit-learn, E455 with too few labels.
    """
    needs_sklearn()
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    _enough(labels)
    if other is not None and other[1].sample.kind != labels.sample.kind:
        raise CostctlError("E465", "--test and --scores must both hold prompts, or neither", "give both the same form")
    with threadpool_limits(1):  # the order of sums, and so the last digits, must not depend on the cores
        return _trained(labels, options, other)


def _enough(labels: Labels) -> None:
    count, gained = len(labels.sample.gain), float(labels.sample.gain.sum())
    if count < LABELS_MIN or gained < GAINS_MIN:
        raise CostctlError(
            "E455",
            f"too few labels: {counted(count, 'request')}, in {gained:,.0f} of which the dearer model gains",
            f"at least {LABELS_MIN} requests scored on both models, with {GAINS_MIN} gains among them",
            ExitCode.INPUT,
        )


def _trained(labels: Labels, options: Options, other: tuple[str, Labels] | None) -> Trained:
    sample, seed = labels.sample, options.seed
    folds = folds_of(sample.inputs.count, seed, labels.texts)
    apart = [] if labels.groups is None else group_folds_of(labels.groups, seed)
    parts = crossed_parts(sample, folds)
    slopes, intercept = calibration(parts, sample.gain)
    predicted = gains(parts, slopes, intercept)
    promised = promise(predicted, sample.gain, options.max_loss_ratio, 1 - options.confidence_ratio)
    threshold = Threshold(
        promised.gain_below, options.max_loss_ratio if promised.is_kept else None, options.confidence_ratio,
        promised.loss_ratio, promised.cheap_ratio,
    )  # fmt: skip
    learned = with_calibration(fit(sample), slopes, intercept)
    learned = replace(learned, threshold=threshold, cheap_model=labels.pair.cheap, dear_model=labels.pair.dear)
    router = parse_router(dump_router(learned), "router")  # what is judged from here on is what the file says
    found = _Found()
    _tell(found, labels, router, apart)
    judged = judge(sample, labels.texts, folds, IN_FOLD, seed, parts)
    lost: Mapping[str, float] = {}
    if apart:
        apart_parts = crossed_parts(sample, apart)
        judged += judge(sample, labels.texts, apart, UNSEEN, seed, apart_parts)
        lost = _tell_unseen_loss(found, labels, gains(apart_parts, slopes, intercept), threshold)
    if other is not None:
        judged += _on_other(labels, router, other, found, seed)
    reasons = _verdict(found, labels, judged, seed)
    router = replace(router, evidence=tuple(_evidence(judged, lost, sample)), is_forced=bool(reasons))
    if reasons:
        warned = "; ".join(reasons)
        hint = "" if options.is_forced else SAID
        found.warnings.insert(0, Warning("W250", f"this router does not beat what is simpler: {warned}", hint))
    tables = [
        Table.of("routers", ("split", "router", "apgr", "cpt50_ratio", "cpt80_ratio"), _rows(judged)),
        Table.of("curve", ("split", "router", "dear_ratio", "mean_score"), _curves(judged, sample)),
        Table.of("promises", ("loss_bound_ratio", "cheap_ratio", "loss_ratio"),
                 _promises(predicted, sample.gain, options)),
        Table.of("calibration", ("request_count", "predicted_gain_ratio", "gain_ratio"),
                 _bins(predicted, sample.gain)),
    ]  # fmt: skip
    report = Report(
        "train-router", found.totals, {table.name: table for table in tables}, tuple(found.warnings),
        {"status": found.status, "not_computed": found.missing, "seed": seed},
    )  # fmt: skip
    return Trained(None if reasons and not options.is_forced else router, report)


def with_file(report: Report, out: Path | None) -> Report:
    """The report with the file that the router was written to, or with the warning that it was not."""
    if out is None:
        unwritten = Warning("W288", "the router was not written to a file", "-o router.json")
        return replace(report, warnings=(*report.warnings, unwritten))
    status: Any = report.provenance["status"]
    made = {**report.provenance, "status": {"router_file": "exact", **status}}
    return replace(report, totals={"router_file": str(out), **report.totals}, provenance=made)


def _on_other(labels: Labels, router: Router, other: tuple[str, Labels], found: _Found, seed: int) -> list[Judged]:
    name, held = other
    said = score(router, held.sample.inputs)
    judged = judge_on(labels.sample, labels.texts, held.sample, held.texts, said, f"test: {name}", seed)
    is_cheap = said < router.threshold.gain_below
    found.tell("test_count", held.sample.inputs.count, "exact")
    found.tell("test_cheap_ratio", _round(float(is_cheap.mean())), "exact")
    found.tell("test_loss_ratio", _round(float((held.sample.gain * is_cheap).mean())), "exact")
    figures = {one.router: one.quality.apgr for one in judged if one.quality is not None}
    floor = max(figures.get(LENGTH, CHANCE), CHANCE)
    if figures.get(LEARNED, CHANCE) <= floor:
        found.warnings.append(
            Warning("W255", f"on {name} it does not beat length alone and chance: its APGR is "
                    f"{figures.get(LEARNED, CHANCE):.3f}, theirs {floor:.3f}",
                    "label some of that traffic, and train again")
        )  # fmt: skip
    return judged


def _tell_unseen_loss(found: _Found, labels: Labels, predicted: Real, threshold: Threshold) -> dict[str, float]:
    """What the threshold loses where the group was not among the labels: no bound covers that. Also for the file."""
    is_cheap = predicted < threshold.gain_below
    loss = float((labels.sample.gain * is_cheap).mean())
    found.tell("unseen_cheap_ratio", _round(float(is_cheap.mean())), "estimated")
    found.tell("unseen_loss_ratio", _round(loss), "estimated")
    if threshold.loss_bound_ratio is not None and loss > threshold.loss_bound_ratio:
        found.warnings.append(
            Warning("W252", f"on unseen groups the loss is {loss:.1%}: the bound holds for traffic like the labels",
                    "label some of each new kind of traffic, and train again")
        )  # fmt: skip
    return {"loss_ratio": _round(loss), "cheap_ratio": _round(float(is_cheap.mean()))}


def _verdict(found: _Found, labels: Labels, judged: Sequence[Judged], seed: int) -> list[str]:
    """Why the router must not be used, empty where it may; judged on unseen groups where there are some."""
    splits = [one.split for one in judged]
    split = UNSEEN if UNSEEN in splits else IN_FOLD
    if split == IN_FOLD:
        found.warnings.append(
            Warning("W251", "nothing is known of unseen traffic: the labels name fewer than three groups",
                    "give each label a group: --group COLUMN, or a column group")
        )  # fmt: skip
    mine, length = (
        next(one for one in judged if (one.split, one.router) == (split, name)) for name in (LEARNED, LENGTH)
    )
    if mine.quality is None or length.quality is None:
        return ["the dearer model is no better than the cheaper one: use the cheaper one"]
    draws = resampled([mine.score, length.score], labels.sample, seed)
    ahead, others = mine.quality.apgr - length.quality.apgr, draws[:, 0] - draws[:, 1]
    low, high = np.quantile(others, [0.025, 0.975]).tolist()
    for name, value in (("", ahead), ("_low", low), ("_high", high)):
        found.tell(f"apgr_above_length{name}", _round(value), "estimated")
    reasons = []
    if ahead <= 0:
        where = split if split == IN_FOLD else f"on {split}"
        reasons.append(f"{where} its APGR is {mine.quality.apgr:.3f}, that of length alone {length.quality.apgr:.3f}")
    elif low <= 0:
        where = "" if split == IN_FOLD else f" on {split}"
        said = f"the lead over length alone{where} ({ahead:.3f}) may be chance: from {low:.3f} to {high:.3f}"
        found.warnings.append(Warning("W253", said, "more labels"))
    if float(np.quantile(draws[:, 0], UNSURE)) <= CHANCE:
        reasons.append(f"on {split} its APGR is {mine.quality.apgr:.3f}, no surer than that of chance, {CHANCE}")
    return reasons


def _tell(found: _Found, labels: Labels, router: Router, apart: Sequence[Fold]) -> None:
    sample, threshold = labels.sample, router.threshold
    found.tell("label_count", sample.inputs.count, "exact")
    for name, model in (("cheap_model", labels.pair.cheap), ("dear_model", labels.pair.dear)):
        if model is None:
            found.missing[name] = "the prompts come without names of models"
        else:
            found.tell(name, model, "exact")
    if None in labels.pair:
        found.warnings.append(
            Warning("W284", "the router does not name its two models: it fits policies of two tiers alone",
                    "--cheap MODEL --dear MODEL")
        )  # fmt: skip
    found.tell("group_count", len(set(labels.groups or ())), "exact")
    found.tell("cheap_quality_mean", _round(float(sample.cheap.mean())), "exact")
    found.tell("dear_quality_mean", _round(float(sample.dear.mean())), "exact")
    found.tell("gain_ratio", _round(float(sample.gain.mean())), "exact")
    found.tell("gain_below", _round(threshold.gain_below), "exact")
    found.tell("confidence_ratio", threshold.confidence_ratio, "exact")
    found.tell("cheap_ratio", _round(threshold.cheap_ratio), "estimated")
    found.tell("loss_ratio", _round(threshold.loss_ratio), "estimated")
    if threshold.loss_bound_ratio is None:
        said = "no cheap share keeps the bound asked for: everything goes to the dearer model"
        found.missing["loss_bound_ratio"] = said
        found.warnings.append(
            Warning(
                "W286", f"{said}; as it is, the router saves nothing", "allow more loss (--max-loss), or label more"
            )
        )
    else:
        found.tell("loss_bound_ratio", threshold.loss_bound_ratio, "bounded")
    if not apart:
        found.missing["unseen_loss_ratio"] = "the labels name fewer than three groups"
    for reason, count in labels.left_out:
        if count:
            found.warnings.append(Warning("W254", f"{counted(count, 'label is', 'labels are')} not used: {reason}"))


def _rows(judged: Sequence[Judged]) -> Iterator[tuple[Value, ...]]:
    for one in judged:
        known = one.quality
        figures = (None, None, None) if known is None else (round(known.apgr, 3), *(_round(part) for part in known[1:]))
        yield one.split, one.router, *figures


def _curves(judged: Sequence[Judged], sample: Sample) -> Iterator[tuple[Value, ...]]:
    """Shares of the dearer model and the mean scores they give, on the split that decides."""
    split = UNSEEN if UNSEEN in {one.split for one in judged} else IN_FOLD
    for one in judged:
        if one.split == split and one.router in DRAWN:
            for share, reached in zip(*curve(one.score, sample.cheap, sample.dear), strict=True):
                yield split, one.router, _round(float(share)), _round(float(reached))


def _evidence(judged: Sequence[Judged], lost: Mapping[str, float], sample: Sample) -> Iterator[Mapping[str, Any]]:
    """The rows of `routers`; that of the router itself on unseen groups also has what its threshold lost there.

    In fold it has the mean scores of the labels, by which a simulation knows these scores again without their texts.
    """
    names = ("split", "router", "apgr", "cpt50_ratio", "cpt80_ratio")
    means = {"cheap_quality_mean": float(sample.cheap.mean()), "dear_quality_mean": float(sample.dear.mean())}
    more: Mapping[tuple[Value, ...], Mapping[str, float]] = {(UNSEEN, LEARNED): lost, (IN_FOLD, LEARNED): means}
    for row in _rows(judged):
        yield {**dict(zip(names, row, strict=True)), **more.get(row[:2], {})}


def _promises(predicted: Real, gain: Real, options: Options) -> Iterator[tuple[Value, ...]]:
    """The cheap share at each bound; each line holds by itself, so choose one before looking."""
    for bound in sorted({*LOSSES, options.max_loss_ratio}):
        kept: Promise = promise(predicted, gain, bound, 1 - options.confidence_ratio)
        yield bound, _round(kept.cheap_ratio), _round(kept.loss_ratio)


def _bins(predicted: Real, gain: Real) -> Iterator[tuple[Value, ...]]:
    order = np.argsort(predicted, kind="stable")
    for part in np.array_split(order, BINS):
        yield len(part), _round(float(predicted[part].mean())), _round(float(gain[part].mean()))


def _round(value: float) -> float:
    return round(value, DIGITS)
