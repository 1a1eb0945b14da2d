"""How long the calls of log and policy take: quantiles, and the priors that the policy's rest on."""

from __future__ import annotations

import numpy as np

from costctl.replay.again import Found
from costctl.replay.notes import Replay
from costctl.replay.plan import FAILED, PROVIDER, REFUSED
from costctl.replay.quantiles import latency_quantiles
from costctl.report import Table, Value, Warning

FEW_OF = 100
COLUMNS = ("model", "call_count", "first_token_ms", "output_tokens_per_s", "source")


def tell_latency(done: Replay) -> Found:
    """p50, p95 and p99 of baseline and policy; the policy's with their 95 % interval where calls were drawn.

    What rests on a prior has no interval: how far the prior is off is not known.
    """
    told = Found()
    calls, latency = done.calls, done.latency
    for one in latency_quantiles(calls.latency_us[calls.is_ok & (calls.latency_us >= 0)]):
        if one.told_ms is not None:
            told.tell(f"baseline_latency_ms_p{one.percent}", float(one.told_ms), "exact")
        else:
            told.missing[f"baseline_latency_ms_p{one.percent}"] = one.too_few
    if latency.uncovered:
        told.missing["policy_latency_ms"] = (
            f"not identifiable: the log shows no latency of {', '.join(latency.uncovered)}, and pricing/ has none; "
            "say it: assume: {first_token_ms: 300, output_tokens_per_s: 100}"
        )
        return told
    is_estimate = bool(latency.is_drawn.any()) and not latency.assumed
    is_assumed = bool(latency.assumed) or bool(done.hosted.is_on.any())
    for one in latency_quantiles(latency.policy_us[latency.policy_us >= 0]):
        name = f"policy_latency_ms_p{one.percent}"
        if one.told_ms is None:
            told.missing[name] = one.too_few
            continue
        plain = "replayed under assumption" if is_assumed else "replayed"
        told.tell(name, float(one.told_ms), "estimated" if is_estimate else plain)
        for end, bound in (("low", one.lower_ms), ("high", one.upper_ms)):
            if is_estimate and bound is not None:
                told.tell(f"{name}_{end}", float(bound), "estimated")
    if not is_estimate and "policy_latency_ms_p50" in told.totals:
        told.missing["policy_latency_ms_interval"] = f"not estimated: {_why_sure(done, is_assumed=is_assumed)}"
    if latency.assumed:
        _tell_priors(done, told)
    told.warnings += _left_out(done)
    return told


def _why_sure(done: Replay, *, is_assumed: bool) -> str:
    """Why latencies have no interval: none was drawn, or what they rest on is no sample."""
    if is_assumed:
        return "some are of a published or assumed speed"
    beside = [one.name for one in done.extras.items if one.latency_us[one.is_done].any()]
    if beside:
        return (
            f"each is as logged, or of a hit, with work beside it that takes what the policy says: {', '.join(beside)}"
        )
    return "each is as logged, or of a hit"


def _left_out(done: Replay) -> list[Warning]:
    """Calls with a latency in the log and none under the policy: without them its quantiles are of other calls.

    A few without an answer change no quantile that is told.
    """
    calls, made, latency = done.calls, done.decisions, done.latency.policy_us
    timed = calls.is_ok & (calls.latency_us >= 0)
    gone = timed & (latency < 0)
    batched = done.extras.is_batched
    parts = [
        f"{count:,} {what}"
        for here, what in (
            (made.served_by == REFUSED, "refused"), (made.served_by == FAILED, "without an answer"),
            (batched & (made.served_by == PROVIDER), "in batches"),
        )
        if (count := int(np.count_nonzero(gone & here)))
    ]  # fmt: skip
    is_refused = (gone & (made.served_by == REFUSED)).any()
    if not parts or (not is_refused and np.count_nonzero(gone) * FEW_OF < np.count_nonzero(timed)):
        return []
    left = latency_quantiles(calls.latency_us[timed & ~gone])
    same = ", ".join(f"p{one.percent} {one.told_ms:,} ms" for one in left if one.told_ms is not None)
    text = f"calls that the policy's latencies leave out, and those of the log do not: {', '.join(parts)}"
    return [Warning("W226", text + (f"; the calls that are left took {same} in the log" if same else ""))]


def policy_p95_ms(done: Replay) -> float | None:
    """The policy's p95, None where the log does not know a model's latency or has too few calls to tell."""
    latency = done.latency
    if latency.uncovered:
        return None
    (found,) = latency_quantiles(latency.policy_us[latency.policy_us >= 0], [95])
    return None if found.told_ms is None else float(found.told_ms)


def _tell_priors(done: Replay, told: Found) -> None:
    is_served = done.decisions.served_by == PROVIDER
    model = done.lanes.take("model", done.decisions.lane)
    rows: list[tuple[Value, ...]] = []
    for name in sorted(done.latency.assumed):
        prior, code = done.lanes.priors[name], done.lanes.models.index(name)
        count = int(np.count_nonzero(is_served & (model == code)))
        rows.append((name, count, prior.first_token_ms, prior.output_tokens_per_s, prior.source))
    told.tables.append(Table.of("latency_priors", COLUMNS, rows))
    told.warnings.append(Warning(
        "W238",
        f"the policy's latencies are assumed: the log shows none of {', '.join(str(row[0]) for row in rows)}; "
        "the table latency_priors says whose figures stand in, of another host or day",
        "send these models some requests, or say it: assume: {first_token_ms: 300, output_tokens_per_s: 100}",
    ))  # fmt: skip
