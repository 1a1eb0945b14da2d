"""What experiments would show: each arm on its own units, and each arm's policy on the whole log.

The split says what the test would have looked like. The pairs say what the arms differ by: the same
calls, the same draws, once under every arm; so only what the arm changes makes a difference.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from costctl.policy.schema import Experiment, Policy
from costctl.replay.again import Found, Main, ratio_of
from costctl.replay.arms import Assigned, assigned
from costctl.replay.calls import Flag, Int, exact_sum
from costctl.replay.draws import uniform
from costctl.replay.project import usd
from costctl.replay.quantiles import latency_quantiles
from costctl.report import Table, Value, Warning, counted

COLUMNS = (
    "experiment", "arm", "share_ratio", "unit_count", "call_count", "baseline_cost_usd", "policy_cost_usd",
    "saving_ratio", "cache_hit_ratio", "latency_ms_p50", "latency_ms_p95", "whole_log_cost_usd",
    "paired_usd", "paired_usd_low", "paired_usd_high",
)  # fmt: skip
RESAMPLES = 1_000
TAIL = 25  # of the resamples lie beyond each end: 2.5 %
# More units are put together at random in so many groups, which are then drawn as wholes.
GROUPS_MAX = 4_000
GROUPS_MIN = 10  # fewer say nothing about how units differ
ROWS_AT_ONCE = 50


def tell_experiments(main: Main) -> Found:
    """The table `arms`: one row for each arm of each experiment; the first arm is what others are compared with."""
    found = Found()
    rows: list[tuple[Value, ...]] = []
    for experiment in main.policy.experiments:
        divided = assigned(main.store, experiment, main.seed)
        rows += _rows(main, experiment, divided)
        lost = int(np.count_nonzero(~divided.has_unit))
        if lost:
            found.warnings.append(
                Warning(
                    "W223",
                    f"{counted(lost, 'call names', 'calls name')} no {experiment.unit}: "
                    f"counted in the arm {experiment.arms[0].name}",
                    f"map the column that holds it: costctl audit LOG --map {experiment.unit}_id=COLUMN",
                )
            )
    if rows:
        found.tables.append(Table.of("arms", COLUMNS, rows))
    return found


def _rows(main: Main, experiment: Experiment, divided: Assigned) -> list[tuple[Value, ...]]:
    costs = [main.again(_whole(main.policy, experiment, number)).policy_pusd for number in range(len(experiment.arms))]
    groups = _groups(main, divided)
    rows: list[tuple[Value, ...]] = []
    for number, arm in enumerate(experiment.arms):
        here = divided.arm == number
        paired: tuple[Value, ...] = (None, None, None)
        if number:
            found = paired_interval(costs[number] - costs[0], groups, main.seed, experiment.name)
            paired = tuple(None if one is None else usd(one) for one in found)
        split, whole = _split(main, divided, here), usd(exact_sum(costs[number]))
        rows.append((experiment.name, arm.name, float(arm.share), *split, whole, *paired))
    return rows


def _whole(policy: Policy, experiment: Experiment, number: int) -> Policy:
    """The policy with every call in one arm of the experiment; other experiments divide as they do."""
    alone = experiment.model_copy(update={"arms": (experiment.arms[number],)})
    experiments = tuple(alone if one is experiment else one for one in policy.experiments)
    return policy.model_copy(update={"experiments": experiments})


def _split(main: Main, divided: Assigned, here: Flag) -> tuple[Value, ...]:
    """Units, calls, baseline, cost, saving, hits and latency of one arm as the main replay served it."""
    outcome, latency = main.outcome, main.done.latency
    count = int(np.count_nonzero(here))
    units = len(np.unique(divided.unit[here & divided.has_unit]))
    baseline, spent = exact_sum(main.done.calls.baseline_pusd, here), exact_sum(outcome.policy_pusd, here)
    hits = ratio_of(int(np.count_nonzero(here & outcome.decisions.is_cached)), count) if main.knows_hits else None
    middle: list[Value] = [None, None]
    if not latency.uncovered:
        known = latency.policy_us[here & (latency.policy_us >= 0)]
        middle = [None if one.told_ms is None else float(one.told_ms) for one in latency_quantiles(known, (50, 95))]
    return (
        units, count, usd(baseline), usd(spent), ratio_of(baseline - spent, baseline), hits, *middle,
    )  # fmt: skip


def _groups(main: Main, divided: Assigned) -> Int:
    """What is drawn as a whole: the unit of each call, a call without one by itself; many units in groups."""
    key = np.where(divided.has_unit, divided.unit, main.done.calls.draw_key)
    found, group = np.unique(key, return_inverse=True)
    if len(found) <= GROUPS_MAX:
        return group.astype(np.int64)
    drawn = (uniform(main.seed, found, "group") * GROUPS_MAX).astype(np.int64)
    return np.unique(drawn[group], return_inverse=True)[1].astype(np.int64)


def paired_interval(difference_pusd: Int, groups: Int, seed: int, purpose: str) -> tuple[int, int | None, int | None]:
    """The mean difference per call in whole picodollars, and both ends of its 95 % cluster bootstrap interval.

    Groups are drawn with replacement, as many as there are; a resample's mean is its sum over its calls.
    """
    count = int(groups.max()) + 1
    mean = Fraction(exact_sum(difference_pusd), len(difference_pusd))
    if count < GROUPS_MIN:
        return round(mean), None, None
    calls = np.bincount(groups, minlength=count)
    high, low = _halves(difference_pusd, groups, count)
    means: list[Fraction] = []
    for start in range(0, RESAMPLES, ROWS_AT_ONCE):
        keys = np.arange(start, start + ROWS_AT_ONCE, dtype=np.uint64)[:, None]
        # The attempt of a draw is one number for both: which resample, and which place in it.
        place = keys * np.uint64(count) + np.arange(count, dtype=np.uint64)[None, :]
        drawn = (uniform(seed, place.reshape(-1), f"bootstrap {purpose}") * count).astype(np.int64).reshape(-1, count)
        sums = zip(high[drawn].sum(axis=1).tolist(), low[drawn].sum(axis=1).tolist(), strict=True)
        totals = [(above << 30) + below for above, below in sums]
        means += [Fraction(total, size) for total, size in zip(totals, calls[drawn].sum(axis=1).tolist(), strict=True)]
    means.sort()
    return round(mean), round(means[TAIL - 1]), round(means[RESAMPLES - TAIL])


def _halves(values: Int, groups: Int, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The sum of each group in two halves of 30 bits below and the rest above, so that no sum overflows."""
    high, low = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    np.add.at(high, groups, values >> 30)
    np.add.at(low, groups, values & (2**30 - 1))
    return high + (low >> 30), low & (2**30 - 1)
