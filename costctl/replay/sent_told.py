"""What a policy sends and adds around its calls, as tables and totals, and what those figures rest on."""

from __future__ import annotations

import numpy as np

from costctl.policy.schema import Policy
from costctl.replay.calls import UNKNOWN, Flag, exact_sum
from costctl.replay.extras import Extras
from costctl.replay.notes import Replay
from costctl.replay.project import usd
from costctl.replay.sent import batch_window_us
from costctl.report import Table, Value, Warning, counted

COUNTS = {
    "history": "shortened_count", "compression": "compressed_count", "instruction": "instructed_count",
    "batch": "batched_count",
}  # fmt: skip
ASSUMED = "replayed under assumption"


def sent_totals(done: Replay) -> dict[str, int]:
    """The calls that each key changes, as far as the policy has it."""
    totals = {COUNTS[stage]: int(np.count_nonzero(here)) for stage, here in _changed(done)}
    extras = done.extras
    if extras.source_names:
        asked = sum(int(np.count_nonzero(one.is_done)) for one in extras.items if one.stage == "data_sources")
        totals["data_source_call_count"] = asked
        totals["data_source_miss_count"] = int(np.count_nonzero(extras.found_in == len(extras.source_names)))
    answers = [int(np.count_nonzero(one.is_done)) for one in extras.items if one.stage == "post_process"]
    if answers:
        totals["post_process_call_count"] = sum(answers)
    return totals


def sent_status(done: Replay, status: dict[str, str]) -> None:
    """Mark these totals, and the figures that rest on them, as no better than the policy's assumptions."""
    totals = sent_totals(done)
    status |= dict.fromkeys(totals, ASSUMED)
    if totals or done.extras.items:
        for name, said in status.items():
            if said == "replayed" and name.startswith(("policy_cost", "saving", "policy_latency")):
                status[name] = ASSUMED


def sent_tables(done: Replay) -> list[Table]:
    """What each step makes of the input, the calls that are made beside, the data sources; empty without such keys."""
    return [_steps(done), _extra_calls(done), _sources(done)]


def _on_tiers(done: Replay) -> Flag:
    made = done.decisions
    found: Flag = made.is_asked & (made.entry_lane != done.lanes.logged) & done.calls.is_movable
    return found


def _changed(done: Replay) -> list[tuple[str, Flag]]:
    """By stage: the calls on tiers that send something else for it."""
    if done.sent is None:
        return []
    here = _on_tiers(done)
    found = [(step.stage, here & step.is_changed) for step in done.sent.steps]
    if done.sent.waiting is not None:
        found.append(("batch", done.extras.is_batched))
    return found


def _steps(done: Replay) -> Table:
    columns = (
        "stage", "title", "call_count", "input_tokens_before", "input_tokens_after", "price_change_usd",
        "extra_cost_usd",
    )  # fmt: skip
    rows: list[tuple[Value, ...]] = []
    lanes, entry, sent = done.lanes, done.decisions.entry_lane, done.sent
    if sent is not None:
        here = _on_tiers(done)
        price, tokens = lanes.take("uncapped_pusd", entry), sent.before.total
        priced = lanes.take("steps_pusd", entry)
        inputs = [*(step.tokens.total for step in sent.steps), sent.after.total]
        for number, ((stage, changed), (_, title)) in enumerate(zip(_changed(done), lanes.stages, strict=True)):
            rows.append((
                stage, title, int(np.count_nonzero(changed)), exact_sum(tokens, here), exact_sum(inputs[number], here),
                usd(exact_sum(priced[number] - price, here)), usd(exact_sum(done.extras.of_stage(stage))),
            ))  # fmt: skip
            price, tokens = priced[number], inputs[number]
    return Table.of("sent", columns, rows)


def _extra_calls(done: Replay) -> Table:
    columns = ("name", "model", "call_count", "input_tokens", "cost_usd")
    rows = [
        (one.name, one.model, int(np.count_nonzero(one.is_done)), exact_sum(one.tokens), usd(exact_sum(one.pusd)))
        for one in done.extras.items
        if one.stage not in {"data_sources", "self_hosted"}
    ]
    return Table.of("extra_calls", columns, rows)


def _sources(done: Replay) -> Table:
    columns = ("source", "call_count", "hit_count", "hit_ratio", "cost_usd", "latency_ms")
    rows: list[tuple[Value, ...]] = []
    for one in done.extras.items:
        if one.stage == "data_sources" and one.found is not None:
            asked, hits = int(np.count_nonzero(one.is_done)), int(np.count_nonzero(one.found))
            each = float(one.latency_us.max()) / 1000 if asked else None
            rows.append((one.name, asked, hits, hits / asked if asked else None, usd(exact_sum(one.pusd)), each))
    return Table.of("data_sources", columns, rows)


def sent_warnings(policy: Policy, done: Replay) -> list[Warning]:
    """The assumptions behind what is sent and added, each by name."""
    counts = sent_totals(done)
    if done.sent is None:
        return _of_extras(done)
    said = _of_history(policy, done, counts)
    if counts.get("compressed_count") and policy.compression is not None:
        prompts = counted(counts["compressed_count"], "prompt keeps", "prompts keep")
        said.append(
            Warning(
                "W242",
                f"{prompts} {policy.compression.ratio_kept:.0%} of their uncached text: "
                "that the answers are as good is the policy's claim, not the log's",
            )
        )
    if counts.get("instructed_count"):
        names = ", ".join(f"{name} {count}" for name, count in done.sent.instructions)
        said.append(Warning("W243", f"added instructions are counted at a token per 4 characters: {names}"))
    return [*said, *_of_batch(done, counts), *_of_extras(done)]


def _of_history(policy: Policy, done: Replay, counts: dict[str, int]) -> list[Warning]:
    assert done.sent is not None
    said = []
    if counts.get("shortened_count"):
        said.append(
            Warning(
                "W240",
                f"the history of {counted(counts['shortened_count'], 'call')} is cut: "
                "its tokens are those by which inputs grow within a session, else the share of its characters",
            )
        )
    unknown = int(np.count_nonzero(_on_tiers(done) & done.sent.is_unsplit))
    if unknown:
        said.append(
            Warning(
                "W241",
                f"{counted(unknown, 'call is', 'calls are')} sent whole: the log shows neither their session "
                "from its first turn nor the characters of their history",
            )
        )
    if any(one.name == "summariser" for one in done.extras.items):
        ratio = f"{policy.assume.summary_tokens_ratio:.0%}"
        said.append(
            Warning(
                "W244",
                f"a summary is taken as {ratio} of the tokens that it replaces, written anew for each call: assumed",
                "measure some and say it: assume: {summary_tokens_ratio: 0.1}",
            )
        )
    return said


def _of_batch(done: Replay, counts: dict[str, int]) -> list[Warning]:
    assert done.sent is not None
    waiting = done.sent.waiting
    if waiting is None:
        return []
    said, batched = [], done.extras.is_batched
    serving = done.lanes.take("model", done.decisions.lane)
    if counts["batched_count"]:
        said.append(
            Warning(
                "W245",
                f"{counted(counts['batched_count'], 'call waits', 'calls wait')} for a batch: "
                "how long is not identifiable, so they are in no latency",
            )
        )
    stay = waiting.may_wait & _on_tiers(done) & ~batched
    late = sorted({done.lanes.models[code] for code in np.unique(serving[stay & (serving != UNKNOWN)]).tolist()})
    if late:
        unknown = [name for name in late if batch_window_us(name) is None]
        why = f"no batch API is known of {', '.join(unknown)}" if unknown else "a batch may take longer than max_delay"
        count = int(np.count_nonzero(stay))
        calls = counted(count, "call of the batch endpoints does", "calls of the batch endpoints do")
        said.append(Warning("W246", f"{calls} not wait: {why}"))
    assumed = batched & done.lanes.take("is_assumed", done.decisions.lane)
    if assumed.any():
        used = ", ".join(sorted({done.lanes.models[code] for code in np.unique(serving[assumed]).tolist()}))
        said.append(
            Warning(
                "W274",
                f"half of list is assumed for {counted(int(np.count_nonzero(assumed)), 'batched call')} of {used}: "
                "no price was published at their time",
            )
        )
    return said


def _of_extras(done: Replay) -> list[Warning]:
    said, extras = [], done.extras
    if extras.source_names:
        said.append(
            Warning(
                "W247",
                "data sources answer as often, as fast and at the price that the policy says; what the log's own "
                "look-ups cost is not in the baseline",
            )
        )
    if any(one.stage == "post_process" and one.is_done.any() for one in extras.items):
        said.append(
            Warning(
                "W248",
                "work on an answer is taken to write as many tokens as it reads; what an answer is asked to be is read "
                "from the request: response_format, intent, language",
            )
        )
    if any(one.name == "validate" for one in extras.items):
        said.append(_of_validation(extras))
    if extras.unpriced_count:
        count = counted(extras.unpriced_count, "call beside the log's has", "calls beside the log's have")
        said.append(Warning("W249", f"{count} no price at their time: not in the cost"))
    return said


def _of_validation(extras: Extras) -> Warning:
    """Which answers `validate` looks at, and which it cannot."""
    unread = extras.unread_count
    if not any(one.is_done.any() for one in extras.items if one.name == "validate") and unread:
        return Warning(
            "W219",
            f"post_process.validate finds no text in {counted(unread, 'answer')}, so how many it would write anew, "
            "and what that costs, is not identifiable: nothing is counted",
            "keep answers in the log",
        )
    more = ""
    if unread:
        more = f"; {counted(unread, 'answer has', 'answers have')} no text in the log and pass"
    return Warning(
        "W219",
        "the answers of the log are checked; those of another model are taken to break the rules as often, on "
        f"the same calls{more}",
    )
