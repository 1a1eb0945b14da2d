"""What tiers cannot do or do to answers: calls that none of a tier's models can hold, answers that its cap cuts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from costctl.policy.schema import Policy, Tier
from costctl.replay.calls import Flag
from costctl.replay.notes import Replay
from costctl.replay.plan import PROVIDER
from costctl.report import Warning, counted

NO_SCORE_OF_CUT = "an answer that is cut has no score"


def tier_warnings(policy: Policy, done: Replay) -> list[Warning]:
    """Tiers to which rules send calls of which none fits, and the answers that caps cut."""
    return [*_unfit(policy, done), *_cut(done)]


def cut_answers(done: Replay) -> Flag:
    """The calls that get an answer which the cap of their tier cuts."""
    found: Flag = (done.decisions.served_by == PROVIDER) & done.lanes.take("is_capped", done.decisions.lane)
    return found


def _unfit(policy: Policy, done: Replay) -> Iterator[Warning]:
    lanes, routed = done.lanes, done.routed
    sent = done.calls.input_tokens if done.sent is None else done.sent.after.total
    for spec, (number, lane) in zip((*policy.tiers, *policy.specialists), enumerate(lanes.lanes), strict=False):
        here = (routed.asked == number) & done.calls.is_movable & ~routed.is_unknown
        if not here.any() or not routed.does_not_fit[here].all():
            continue
        least = int((sent + lane.output_tokens)[here].min())
        calls = counted(int(np.count_nonzero(here)), "call", "calls")
        goes = "goes to the next tier that can hold it, else stays" if number < lanes.tier_count else "stays"
        yield Warning(
            "W228",
            f"nothing that the rules send to {spec.name} fits there ({calls}): the smallest needs {least:,} tokens "
            f"with its answer, {_holds(spec, least)}; each {goes} as logged",
            f"raise tiers.{spec.name}.context_tokens, or name a model with a larger window: costctl models",
        )


def _holds(spec: Tier, least: int) -> str:
    """What keeps the smallest call out."""
    if spec.context_tokens is not None and least > spec.context_tokens:
        return f"and its context_tokens are {spec.context_tokens:,}"
    return f"more than the window of {' or '.join(spec.models)}"


def _cut(done: Replay) -> Iterator[Warning]:
    cut = cut_answers(done)
    if not cut.any():
        return
    tiers = [
        f"{name} {count:,}"
        for number, name in enumerate(done.lanes.names)
        if (count := int(np.count_nonzero(cut & (done.decisions.lane == number))))
    ]
    count = int(np.count_nonzero(cut))
    yield Warning(
        "W229",
        f"{counted(count, 'answer is', 'answers are')} cut by max_output_tokens ({', '.join(tiers)}): what is left may "
        f"serve nobody, which no log shows; {NO_SCORE_OF_CUT}, and a model's latency stays that of whole answers",
        "ask for short answers in the prompt, or ask a dearer tier again: escalate: {when: [truncated]}",
    )
