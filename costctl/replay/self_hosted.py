"""Stage 9: models on accelerators of one's own. What they cost is their hours, shared by what they served.

Before the walk an engine's call has the price of full load, since the load is not known yet: routes and
budgets go by it. Once the decisions are made, each engine's hours are shared out over its work in
proportion to output tokens; what that adds is a row of the waterfall. Its queue says how long calls wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from costctl.policy.schema import Policy, Routing
from costctl.policy.stages import SelfHosted
from costctl.replay.calls import UNKNOWN, Calls, Flag, Int, constant, exact_sum, span_us
from costctl.replay.candidates import SAME, Candidate, refuse_unknown
from costctl.replay.capacity import Bill, bill, service_us, shared_out, token_pusd, waits
from costctl.replay.engine import Decisions
from costctl.replay.extras import Extra, Extras
from costctl.replay.lanes import Lanes
from costctl.replay.latency import Latency
from costctl.replay.plan import ESCALATED, PROVIDER
from costctl.replay.ratios import Assumed, Ratio, input_ratio, output_ratio
from costctl.replay.sent import Sent, times

STAGE = "self_hosted"


@dataclass(frozen=True)
class Work:
    """Everything that one engine wrote, in the order in which it came; one call may come more than once."""

    spec: SelfHosted
    position: Int
    lane: Int  # UNKNOWN where it is work beside a call
    tokens: Int
    arrival_us: Int
    wait_us: Int
    share_pusd: Int
    bill: Bill

    @property
    def marginal_pusd(self) -> Int:
        """What the walk took it to cost: full load."""
        return self.tokens * token_pusd(self.spec)


@dataclass(frozen=True)
class Hosted:
    """What the engines of a policy did; columns over all calls."""

    works: tuple[Work, ...]
    change_pusd: Int
    wait_us: Int
    is_on: Flag  # an engine wrote something for the call
    idle_pusd: Mapping[str, Int] = field(default_factory=dict)  # part of the change: of engines without any work


def engine_candidate(calls: Calls, spec: SelfHosted, assumed: Assumed, sent: Sent | None) -> Candidate:
    """The engine on every call, at the price of full load; its input costs nothing of its own.

    Raises:
        CostctlError: E412 where no token ratio can be stated for any call.
    """
    name = spec.name
    ratios = {other: SAME if other == name else output_ratio(other, name, assumed) for other in calls.models}
    refuse_unknown(calls, name, name, ratios)
    tokens, has_ratio = np.zeros(calls.count, dtype=np.int64), np.zeros(calls.count, dtype=np.bool_)
    for code, other in enumerate(calls.models):
        ratio, here = ratios[other], calls.model == code
        if ratio is not None:
            tokens[here], has_ratio[here] = times(np.maximum(calls.output_tokens[here], 0), ratio.value), True
    read = np.maximum(sent.after.total if sent else calls.input_tokens, 0)
    factor = input_ratio(name, name, assumed).value
    cost, never = tokens * token_pusd(spec), np.zeros(calls.count, dtype=np.bool_)
    return Candidate(
        model=name, price_key=name, cost_pusd=cost, output_tokens=tokens,
        input_tokens=times(read, factor),
        output_price_pusd=np.full(calls.count, token_pusd(spec), dtype=np.int64), is_logged=never,
        is_known=has_ratio & (calls.input_tokens >= 0) & (calls.output_tokens >= 0), output_ratios=ratios,
        input_ratios=dict.fromkeys(ratios, Ratio(factor, factor, factor, "input costs nothing here")),
        steps_pusd=np.tile(cost, (len(sent.stages) if sent else 0, 1)), is_batched=never, is_assumed=never, engine=spec,
    )  # fmt: skip


def serve(
    policy: Policy, calls: Calls, lanes: Lanes, decisions: Decisions, latency: Latency, extras: Extras
) -> Hosted:  # fmt: skip
    """Queue up what the decisions send to each engine, and share its hours out.

    `latency` is that of the calls without queues and without work beside them. Without routing no call can
    reach an engine, and none is paid for.
    """
    engines = () if policy.routing == Routing() else policy.self_hosted
    works = tuple(_work(policy, spec, calls, lanes, decisions, latency, extras) for spec in engines)
    if not works:
        nothing = constant(0, calls.count)
        return Hosted((), nothing, nothing, np.zeros(calls.count, dtype=np.bool_))
    change, wait = np.zeros(calls.count, dtype=np.int64), np.zeros(calls.count, dtype=np.int64)
    is_on = np.zeros(calls.count, dtype=np.bool_)
    idle: dict[str, Int] = {}
    for one in works:
        if len(one.position):
            np.add.at(change, one.position, one.share_pusd - one.marginal_pusd)
            np.add.at(wait, one.position, one.wait_us)
            is_on[one.position] = True
        else:
            # Paid for and not used: that is nobody's, so it is everybody's.
            share = np.zeros(calls.count, dtype=np.int64)
            share[~calls.is_unpriced] = shared_out(one.bill.pusd, share[~calls.is_unpriced])
            idle[one.spec.name] = share
            change += share
    return Hosted(works, change, wait, is_on, idle)


def with_hosted(extras: Extras, hosted: Hosted) -> Extras:
    """The extras with what the engines' hours cost beyond full load, and the time in their queues."""
    if not hosted.works:
        return extras
    nothing = np.zeros_like(hosted.wait_us)
    paid = {one.spec.name: one.bill.pusd - exact_sum(one.marginal_pusd) for one in hosted.works if len(one.position)}
    paid |= {name: exact_sum(share) for name, share in hosted.idle_pusd.items()}
    item = Extra(STAGE, "capacity", None, hosted.is_on, nothing, hosted.change_pusd, hosted.wait_us, paid)
    spent = extras.pusd + hosted.change_pusd
    return replace(extras, items=(*extras.items, item), pusd=spent, idle_pusd=hosted.idle_pusd)


class Jobs(NamedTuple):
    """What an engine is to write: positions of calls, lanes (UNKNOWN: work beside a call), output tokens, arrivals."""

    position: Int
    lane: Int
    tokens: Int
    arrival_us: Int


def _work(
    policy: Policy, spec: SelfHosted, calls: Calls, lanes: Lanes, decisions: Decisions, latency: Latency, extras: Extras
) -> Work:
    found = (*_answers(policy, spec, calls, lanes, decisions, latency), *_beside(spec, calls, latency, extras))
    nothing = np.zeros(0, dtype=np.int64)
    jobs = Jobs(*map(np.concatenate, zip(Jobs(nothing, nothing, nothing, nothing), *found, strict=True)))
    order = np.lexsort((np.arange(len(jobs.position)), jobs.position, jobs.arrival_us))
    jobs = Jobs(*(column[order] for column in jobs))
    wait = waits(jobs.arrival_us, service_us(spec, jobs.tokens), spec.count * spec.max_num_seqs)
    paid = bill(spec, span_us(calls), exact_sum(jobs.tokens))
    by_call = np.argsort(jobs.position, kind="stable")  # the first of equals is the first call of the log
    share = np.empty_like(jobs.tokens)
    share[by_call] = shared_out(paid.pusd, jobs.tokens[by_call])
    return Work(spec, *jobs, wait, share, paid)


def _answers(
    policy: Policy, spec: SelfHosted, calls: Calls, lanes: Lanes, decisions: Decisions, latency: Latency
) -> list[Jobs]:
    """The answers of the calls, and the first answers of those that escalated."""
    if spec.name not in lanes.models:
        return []
    code, lane = lanes.models.index(spec.name), decisions.lane
    is_escalated, first = np.zeros(calls.count, dtype=np.bool_), UNKNOWN
    if policy.escalate is not None:
        is_escalated, first = (decisions.notice & ESCALATED) > 0, lanes.number(policy.escalate.from_tier)
    service = lanes.take("service_us", lane)
    is_answer = (decisions.served_by == PROVIDER) & (service >= 0) & (lanes.take("model", lane) == code)
    before = np.where(latency.policy_us >= 0, latency.policy_us - service, _waited(decisions))
    before = np.where(is_escalated & (lane == first), 0, before)
    rows = np.flatnonzero(is_answer)
    tokens: Int = lanes.take("output_tokens", lane)
    jobs = [Jobs(rows, lane[rows].astype(np.int64), tokens[rows], calls.time_us[rows] + before[rows])]
    if first != UNKNOWN:
        of = lanes.lanes[first]
        rows = np.flatnonzero(is_escalated & (lane != first) & (of.service_us >= 0) & (of.model == code))
        jobs.append(Jobs(rows, np.full(len(rows), first), of.output_tokens[rows], calls.time_us[rows]))
    return jobs


def _waited(decisions: Decisions) -> Int:
    """The wait for a provider's limit: all that is known of a call whose latency is not."""
    found: Int = np.zeros(len(decisions.lane), np.int64) if decisions.played is None else decisions.played.wait_us
    return found


def _beside(spec: SelfHosted, calls: Calls, latency: Latency, extras: Extras) -> list[Jobs]:
    """Calls of their own beside the calls: summaries come when the call does, work on an answer when that is there."""
    jobs = []
    for item in extras.items:
        if item.model == spec.name and item.written is not None:
            rows = np.flatnonzero(item.is_done)
            arrival = calls.time_us[rows]
            if item.stage == "post_process":
                arrival = arrival + np.maximum(latency.policy_us[rows], 0)
            jobs.append(Jobs(rows, np.full(len(rows), UNKNOWN), item.written[rows], arrival))
    return jobs
