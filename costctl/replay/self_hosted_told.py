"""What engines of one's own cost and did, beside what the same calls would have cost by tokens."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from costctl.money import usd_display
from costctl.policy.schema import LOGGED, Policy
from costctl.policy.stages import SelfHosted
from costctl.replay.again import Found, Main
from costctl.replay.calls import UNKNOWN, Int, exact_sum, span_us
from costctl.replay.candidates import Candidate
from costctl.replay.capacity import HOUR_US, bill, full_load_pusd
from costctl.replay.compile import context_windows
from costctl.replay.project import usd
from costctl.replay.quantiles import latency_quantiles
from costctl.replay.self_hosted import Work
from costctl.report import Table, Value, Warning, counted

COLUMNS = (
    "name", "engine", "accelerator", "accelerator_count", "quantization", "call_count", "input_tokens", "output_tokens",
    "billed_hours", "busy_ratio", "cost_usd", "full_load_cost_usd", "idle_cost_usd", "per_million_output_usd",
    "full_load_per_million_output_usd", "queue_ms_p50", "queue_ms_p95", "compared_with", "compared_cost_usd",
    "break_even_load_ratio", "stated_quality_ratio", "quality", "one_off_usd", "what",
)  # fmt: skip
MILLION = 10**6
NO_EVIDENCE = "no evidence"
STATED = "stated by the policy"


class BreakEven(NamedTuple):
    """The load at which an engine costs what tokens would, times the log's own; `what` says it in words."""

    model: str | None
    cost_pusd: int | None
    load: Fraction | None
    what: str


def tell_self_hosted(main: Main) -> Found:
    """The table `self_hosted`, the totals of all engines, and what the figures rest on; nothing without engines."""
    found, works = Found(), main.done.hosted.works
    if not works:
        return found
    found.tables.append(Table.of("self_hosted", COLUMNS, [_row(main, one) for one in works]))
    found.tell("self_hosted_cost_usd", usd(sum(one.bill.pusd for one in works)), "replayed under assumption")
    idle = exact_sum(main.done.hosted.change_pusd)  # all that the hours cost beyond full load
    found.tell("self_hosted_idle_cost_usd", usd(idle), "replayed under assumption")
    found.tell("self_hosted_call_count", int(np.count_nonzero(main.done.hosted.is_on)), "replayed under assumption")
    found.tell("one_off_cost_usd", sum((one.spec.one_off_usd for one in works), Decimal(0)), "exact")
    for one in works:
        found.warnings += _warnings(main, one)
    return found


def quality_rows(main: Main) -> list[tuple[Value, ...]]:
    """Engines in the columns of the table `quality`: what is known of their answers is what the policy states."""
    return [
        (None, one.spec.name, 0, None, _call_count(one), f"nowhere: {_quality(one.spec, is_long=True)}")
        for one in main.done.hosted.works
    ]


def _row(main: Main, work: Work) -> tuple[Value, ...]:
    spec, paid, tokens = work.spec, work.bill, exact_sum(work.tokens)
    quantiles = latency_quantiles(work.wait_us, (50, 95))
    p50, p95 = (None if one.value_ms is None else float(one.value_ms) for one in quantiles)
    even, full_load = _break_even(main, work), exact_sum(work.marginal_pusd)
    return (
        spec.name, spec.engine, spec.accelerator, spec.count, spec.quantization, _call_count(work),
        _input_tokens(main, work), tokens, _decimals(Fraction(paid.billed_us, HOUR_US)), _busy(work, tokens),
        usd(paid.pusd), usd(full_load), usd(paid.pusd - full_load),
        _decimals(Fraction(paid.pusd, tokens * MILLION)) if tokens else None,
        _decimals(full_load_pusd(spec) / MILLION), p50, p95, even.model,
        None if even.cost_pusd is None else usd(even.cost_pusd), None if even.load is None else float(even.load),
        None if spec.quality_ratio is None else float(spec.quality_ratio), _quality(spec), spec.one_off_usd,
        f"break-even {even.what}; quality: {_quality(spec, is_long=True)}",
    )  # fmt: skip


def _busy(work: Work, tokens: int) -> float | None:
    """What it wrote, of what it could have written in the hours that are paid."""
    can_do = Fraction(work.spec.tokens_per_s) * work.spec.count * work.bill.billed_us
    return float(tokens * MILLION / can_do) if can_do else None


def _call_count(work: Work) -> int:
    return len(np.unique(work.position))


def _input_tokens(main: Main, work: Work) -> int:
    """The input of its answers; work beside the calls is not in it."""
    rows = work.lane != UNKNOWN
    columns = [lane.input_tokens for lane in main.done.lanes.lanes]
    return sum(exact_sum(columns[lane][work.position[rows & (work.lane == lane)]]) for lane in _lanes(work))


def _lanes(work: Work) -> list[int]:
    found: list[int] = np.unique(work.lane[work.lane != UNKNOWN]).tolist()
    return found


def _quality(spec: SelfHosted, *, is_long: bool = False) -> str:
    """What is known of the engine's answers, never a score."""
    if spec.quality_ratio is None:
        return NO_EVIDENCE
    return f"x {spec.quality_ratio.normalize():f} {STATED}" if is_long else STATED


def _break_even(main: Main, work: Work) -> BreakEven:
    """Beside the cheapest model bought by tokens that can take all of the engine's calls; else beside the log's own."""
    spec, span = work.spec, span_us(main.done.calls)
    if not len(work.position):
        return BreakEven(None, None, None, "not identifiable: no call came to it")
    if (work.lane == UNKNOWN).any():
        return BreakEven(None, None, None, "not identifiable: some of its work is beside the calls")
    hours_pusd, tokens = bill(spec, span, 0).pusd, exact_sum(work.tokens)
    cost, name = min(_by_tokens(main, work), default=(None, None))
    if cost is None or name is None:
        cost, name = exact_sum(main.done.calls.baseline_pusd[work.position]), "the logged models"
    if not span or not tokens:
        return BreakEven(name, cost, None, "not identifiable: the log has no span, or its answers no tokens")
    can_do = Fraction(spec.tokens_per_s) * spec.count * span / MILLION
    if not cost or Fraction(hours_pusd, cost) * tokens > can_do:
        return BreakEven(name, cost, None, f"never: at full load too it costs more than {name}")
    load = Fraction(hours_pusd, cost)
    return BreakEven(name, cost, load, f"at {float(load):.2f} x this load, beside {name}")


def _by_tokens(main: Main, work: Work) -> list[tuple[int, str]]:
    """What the same calls cost on each other model of the policy that can take them all, by cost and name."""
    candidates, at = main.done.candidates, work.position
    windows: Mapping[str, int | None] = context_windows(main.book, candidates)
    cap = _caps(main.policy, work)
    found = []
    for name, one in sorted(candidates.items()):
        if name == LOGGED or one.engine is not None:
            continue
        output = np.minimum(one.output_tokens[at], cap)
        window = windows.get(one.price_key)
        fits = one.is_known[at] & (True if window is None else one.input_tokens[at] + output <= window)
        if fits.all():
            found.append((exact_sum(_capped_pusd(one, at, output)), name))
    return found


def _capped_pusd(one: Candidate, at: Int, output: Int) -> Int:
    cost: Int = one.sent_pusd[at] - (one.output_tokens[at] - output) * one.output_price_pusd[at]
    return cost


def _caps(policy: Policy, work: Work) -> Int:
    """The output cap of the lane of each piece of work."""
    cap = np.full(len(work.lane), np.iinfo(np.int64).max)
    specs = (*policy.tiers, *policy.specialists)
    for lane in _lanes(work):
        most = specs[lane].max_output_tokens
        if most is not None:
            cap[work.lane == lane] = most
    return cap


def _warnings(main: Main, work: Work) -> list[Warning]:
    spec, name, said = work.spec, work.spec.name, []
    span = span_us(main.done.calls)
    if not len(work.position):
        paid = usd_display(usd(work.bill.pusd))
        said.append(Warning("W261", f"{name} serves no call of this log: its {paid} are shared over all calls",
                            "send calls to it by a tier or a specialist, or leave it out of self_hosted"))  # fmt: skip
    elif work.bill.billed_us > span:
        needed = _needed(work, exact_sum(work.tokens), span)
        said.append(Warning("W262", f"{name} has more to write than {spec.count} x {spec.accelerator or 'accelerator'} "
                            f"can in the span of the log{needed}: it is paid for until it is done"))  # fmt: skip
    else:
        most = _most_tokens(main, work)
        if bill(spec, span, most).billed_us > span:
            needed = _needed(work, most, span)
            said.append(Warning("W263", f"{name} would have more to write than it can at the high end of its token "
                                f"ratios{needed}; the range of the cost does not show it"))  # fmt: skip
    if spec.quality_ratio is not None:
        said.append(Warning("W264", f"quality of {name}: x {spec.quality_ratio.normalize():f} is {STATED}; no score "
                            "is multiplied by it"))  # fmt: skip
    elif spec.quantization != "none":
        said.append(Warning("W265", f"quality of {name}, quantised by {spec.quantization}: {NO_EVIDENCE}",
                            "score some of its answers (--scores FILE), or state quality_ratio"))  # fmt: skip
    late = _late_count(main, work)
    if late:
        said.append(Warning("W266", f"{counted(late, 'call takes', 'calls take')} longer on {name} than the timeout_s "
                            "of their tier; it is taken to answer all the same"))  # fmt: skip
    if len(work.position):
        places, each = spec.count * spec.max_num_seqs, f"{spec.tokens_per_s.normalize():f} / {spec.max_num_seqs}"
        said.append(Warning("W267", f"{name}: each of {places:,} sequences writes {each} tokens/s, however few run; "
                            "reading prompts takes no time of its own",
                            "measure tokens_per_s with prompts like those of this log"))  # fmt: skip
    return said


def _needed(work: Work, tokens: int, span: int) -> str:
    if not span:
        return ""
    count = -(-Fraction(tokens * MILLION) // (Fraction(work.spec.tokens_per_s) * span))
    return f" ({count:,} would do)"


def _most_tokens(main: Main, work: Work) -> int:
    """Its output tokens if every ratio stood at its high end."""
    candidate = main.done.candidates.get(work.spec.name)
    if candidate is None:
        return exact_sum(work.tokens)
    calls, total = main.done.calls, Fraction(0)
    of = calls.model[work.position]
    for code in np.unique(of).tolist():
        ratio = candidate.output_ratios.get(calls.models[code])
        factor = Fraction(ratio.high) / Fraction(ratio.value) if ratio else Fraction(1)
        total += exact_sum(work.tokens, of == code) * factor
    return int(total)


def _late_count(main: Main, work: Work) -> int:
    """Answers that take longer, with the queue, than the timeout of their lane."""
    specs, late = (*main.policy.tiers, *main.policy.specialists), 0
    for lane in _lanes(work):
        timeout, here = specs[lane].timeout_us, work.lane == lane
        if timeout is not None:
            took = work.wait_us[here] + main.done.lanes.lanes[lane].service_us[work.position[here]]
            late += int(np.count_nonzero(took > timeout))
    return late


def _halves_up(exact: Fraction) -> int:
    return (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)


def _decimals(exact: Fraction) -> Decimal:
    """Six decimals, halves up."""
    return Decimal(_halves_up(exact * MILLION)) / MILLION
