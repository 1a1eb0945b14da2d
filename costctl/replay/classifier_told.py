"""What a learned router did in a simulation, and what is known of it: its own evidence, and no more than that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from costctl.policy.schema import Policy
from costctl.prices.book import PriceBook
from costctl.replay.again import Found, ratio_of
from costctl.replay.calls import Flag
from costctl.replay.classifier import Classifier
from costctl.replay.notes import Replay
from costctl.replay.project import Outcome
from costctl.replay.scores import Evidence
from costctl.report import Table, Value, Warning, counted
from costctl.tiers.learned import Router

BOUND = "classifier_loss_bound_ratio"
FIGURES = ("classifier_count", "classifier_cheap_ratio", BOUND)
COLUMNS = (
    "file", "digest", "inputs", "label_count", "cheap_model", "cheap_tier", "dear_model", "dear_tier",
    "call_count", "cheap_count", "loss_bound_ratio", "confidence_ratio", "seen_loss_ratio", "seen_cheap_ratio",
    "unseen_loss_ratio", "unseen_cheap_ratio", "what",
)  # fmt: skip
MEANS = ("cheap_quality_mean", "dear_quality_mean")
MEAN_DIFFERS = 1e-5
"""Means of the file have six digits."""
EVIDENCE = ("split", "router", "apgr", "cpt50_ratio", "cpt80_ratio")


def tell_classifier(found: Classifier | None, policy: Policy, done: Replay, outcome: Outcome, book: PriceBook) -> Found:
    """Totals, the tables `classifier` and `classifier_evidence`, warnings; nothing without the key."""
    told = Found()
    if found is None:
        return told
    first = len(policy.routing.rules)  # the router's two reasons follow those of the rules
    movable, reason = done.calls.is_movable, done.routed.reason
    is_cheap = movable & (reason == first)
    is_decided = is_cheap | (movable & (reason == first + 1))
    silent = int(np.count_nonzero(movable & (reason > first + 1)))
    count, cheap = int(np.count_nonzero(is_decided)), int(np.count_nonzero(is_cheap))
    told.tell("classifier_count", count, "replayed")
    told.tell("classifier_cheap_ratio", ratio_of(cheap, count), "replayed")
    bound, why = bound_of(found)
    if bound is None:
        told.missing[BOUND] = why
    else:
        told.tell(BOUND, bound, "bounded")
    router, said = found.router, found.router.threshold
    is_beyond = said.loss_bound_ratio is not None and bound is None
    sure, lost, share = (None,) * 3 if is_beyond else (said.confidence_ratio, said.loss_ratio, said.cheap_ratio)
    unseen: Mapping[str, Any] = {} if is_beyond else _unseen(router)
    row: tuple[Value, ...] = (
        found.file, found.digest[:8], router.inputs, router.label_count, router.cheap_model, found.sides.cheap,
        router.dear_model, found.sides.dear, count, cheap, bound, sure, lost, share, unseen.get("loss_ratio"),
        unseen.get("cheap_ratio"), f"what it promises and has seen does not hold here: {why}" if is_beyond else "",
    )  # fmt: skip
    told.tables.append(Table.of("classifier", COLUMNS, [row]))
    told.tables.append(Table.of("classifier_evidence", EVIDENCE, _evidence(found)))
    told.warnings += _promise_warnings(found, unseen, why if is_beyond else "")
    told.warnings += _warnings(found, _not_judged(found, outcome, is_decided, is_cheap, book), silent)
    return told


def bound_of(found: Classifier) -> tuple[float | None, str]:
    """The loss that the file promises, where the policy sends no other calls to the cheaper tier; or why none.

    Fewer cheap calls lose no more: they are among those for which the bound was made.
    """
    said = found.router.threshold
    if said.loss_bound_ratio is None:
        return None, f"not identifiable: {found.file} promises none"
    if found.min_confidence is not None and 1 - found.min_confidence >= said.gain_below:
        return None, (
            f"not identifiable: {found.file} promises it for gains below {said.gain_below:.6g}, and min_confidence "
            f"{found.min_confidence:g} sends gains up to {1 - found.min_confidence:.6g} to the cheaper tier"
        )
    return said.loss_bound_ratio, ""


def _evidence(found: Classifier) -> Iterator[tuple[Value, ...]]:
    """How the file says that the router was judged."""
    for row in found.router.evidence:
        yield tuple(row.get(name) for name in EVIDENCE)


def _unseen(router: Router) -> Mapping[str, Any]:
    """How the file says that the router was judged on groups that it had not seen, empty where it does not."""
    rows = (row for row in router.evidence if (row.get("split"), row.get("router")) == ("unseen groups", "learned"))
    return next(rows, {})


def own_labels(found: Classifier, evidence: Evidence, book: PriceBook) -> Iterator[Warning]:
    """That the scores are those that the router learned from: as many of both models, with the same means.

    A part of them, or more than them, is not seen: the file keeps no trace of single requests.
    """
    router = found.router
    rows = (row for row in router.evidence if (row.get("split"), row.get("router")) == ("in fold", "learned"))
    row: Mapping[str, Any] = next(rows, {})
    means = [row.get(name) for name in MEANS]
    if router.cheap_model is None or router.dear_model is None:
        return
    scores = [evidence.of_model(book.resolve(one).model_key or one) for one in (router.cheap_model, router.dear_model)]
    has_both = ~np.isnan(scores[0]) & ~np.isnan(scores[1])
    if not router.label_count or int(np.count_nonzero(has_both)) != router.label_count:
        return
    seen = [float(one[has_both].mean()) for one in scores]
    pairs = zip(means, seen, strict=True)
    if all(isinstance(mean, int | float) and abs(mean - here) <= MEAN_DIFFERS for mean, here in pairs):
        count = counted(router.label_count, "request")
        yield Warning(
            "W319",
            f"{found.file} was trained on these scores, it seems: {count} with scores of both, and the same means. "
            "On them a router does better than on new traffic, so policy_quality_mean is too high, also beside the "
            "references",
            "simulate scores that it has not seen, or train on a part of these and simulate the rest",
        )


def _promise_warnings(found: Classifier, unseen: Mapping[str, Any], beyond: str) -> Iterator[Warning]:
    """Where the promise of the file says less than it seems to."""
    said = found.router.threshold
    if beyond:
        yield Warning(
            "W298", f"nothing is known of the loss: {beyond}", "leave min_confidence out, or train for more loss"
        )
    if found.min_confidence is None and said.gain_below <= 0:
        never = f"{found.file} never chooses the cheaper model: no cheap share kept the bound that it was trained for"
        yield Warning("W300", never, "train it for more loss: costctl train-router --max-loss")
    lost = unseen.get("loss_ratio")
    if said.loss_bound_ratio is not None and isinstance(lost, float) and lost > said.loss_bound_ratio:
        at = f"its bound of {said.loss_bound_ratio:.1%} holds for traffic like its labels"
        yield Warning(
            "W287", f"on groups that it had not seen {found.file} lost {lost:.1%}: {at}",
            "label some of each new kind of traffic, and train again",
        )  # fmt: skip


def _not_judged(found: Classifier, outcome: Outcome, is_decided: Flag, is_cheap: Flag, book: PriceBook) -> int:
    """The decided calls that are served by another model than the one that the router chose, or than the dearer one."""
    router = found.router
    if router.cheap_model is None or router.dear_model is None:
        return 0
    cheap, dear = (
        _code(outcome, book.resolve(model).model_key or model) for model in (router.cheap_model, router.dear_model)
    )
    is_meant = (outcome.serving_model == dear) | (is_cheap & (outcome.serving_model == cheap))
    return int(np.count_nonzero(is_decided & outcome.is_served & ~is_meant))


def _code(outcome: Outcome, key: str) -> int:
    return outcome.lanes.models.index(key) if key in outcome.lanes.models else -1


def _warnings(found: Classifier, not_judged: int, silent: int) -> Iterator[Warning]:
    yield Warning("W256", "what the learned router itself takes is not in the log: 0 ms and no cost are counted")
    router = found.router
    if router.is_forced:
        said = f"{found.file} was written by force: it does not beat length alone or chance on its own labels"
        yield Warning("W257", said, "more labels: costctl train-router")
    if router.cheap_model is None or router.dear_model is None:
        sides = f"tier {found.sides.cheap} is taken for the cheaper one, {found.sides.dear} for the dearer one"
        said = f"{found.file} names no models: {sides}"
        yield Warning("W258", said, "train it with names: --cheap MODEL --dear MODEL")
    if not_judged:
        decided = counted(
            not_judged, "call that the learned router decided is", "calls that the learned router decided are"
        )
        said = (
            f"{decided} answered by another model than it chose: "
            f"there what {found.file} knows of the loss does not hold"
        )
        yield Warning("W259", said, "let the models that it was trained on stand first in their tiers")
    if silent:
        said = f"the learned router says nothing of {counted(silent, 'call')}: the log lacks what it reads there"
        yield Warning("W260", f"{said}; intent and default decide")
