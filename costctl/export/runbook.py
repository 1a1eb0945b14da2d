"""The runbook: what the router decides, and what is answered when something goes wrong, for the people on call."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from costctl.export.base import Carried, Exported, Target, expressed, header, told
from costctl.export.litellm_lanes import group_of
from costctl.export.resolved import Lane, Resolved
from costctl.policy.describe import CHOSEN, describe
from costctl.policy.describe_stages import Row
from costctl.policy.parts import PARTS
from costctl.policy.schema import LOGGED
from costctl.policy.tell import condition, duration
from costctl.policy.units import shown
from costctl.report import counted

FILE = "RUNBOOK.md"
HEADINGS = (
    "Tiers",
    "How a request finds its tier",
    "When something goes wrong",
    "Budgets",
    "Caches",
    "Before and after a call",
    "Experiments",
    "Where to look",
)
_SECTIONS: Mapping[str, str] = {
    **dict.fromkeys(("tiers", "specialists"), HEADINGS[0]), "routing": HEADINGS[1],
    **dict.fromkeys(("limits", "fallbacks", "retries", "hedge", "escalate", "kill_switch"), HEADINGS[2]),
    "budgets": HEADINGS[3], "cache": HEADINGS[4],
    **dict.fromkeys(
        ("context", "compression", "data_sources", "batch", "self_hosted", "post_process"), HEADINGS[5]
    ),
    "experiments": HEADINGS[6],
}  # fmt: skip
"""Where each key of a policy is told."""
_CARRIED: Mapping[str, Carried] = {
    part: expressed(f"told under “{_SECTIONS[part.partition('.')[0]]}”") for part in PARTS
}
_UNSAFE = re.compile(r"([\\`*_{}\[\]<>|#~!])")


def _md(text: object) -> str:
    """Text of a policy inside Markdown: nothing in it is markup."""
    return _UNSAFE.sub(r"\\\1", " ".join(str(text).split()))


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(_md(cell) for cell in row) + " |"
    yield ""


def export(given: Resolved) -> Exported:
    """One Markdown file."""
    lines = [
        f"# Runbook: {_md(given.policy.name)}",
        "",
        *(f"_{_md(line)}_  " for line in header(given, "people", "no product")),
        "",
    ]
    sections = (_tiers, _routing, _trouble, _budgets, _caches, _beside, _experiments, _where_to_look)
    for heading, part in zip(HEADINGS, sections, strict=True):
        lines += [f"## {heading}", "", *part(given)]
    return Exported({FILE: "\n".join(lines).rstrip() + "\n"}, told(given, _CARRIED))


def _tiers(given: Resolved) -> Iterator[str]:
    """Lanes, models in the order in which they are asked, limits."""
    yield from _table(
        ("tier", "in routers", "models", "chosen", "answer at most", "context", "temperature", "timeout"),
        (
            (
                lane.name, group_of(lane),
                ", ".join((*(one.name for one in lane.models), *["as asked for"] * lane.has_logged)),
                _chosen(lane),
                _tokens(lane.settings.max_output_tokens), _tokens(lane.settings.context_tokens),
                "as asked for" if lane.settings.temperature is None else f"{lane.settings.temperature:f}",
                "none" if lane.settings.timeout_us is None else duration(lane.settings.timeout_us),
            )
            for lane in given.lanes
        ),
    )  # fmt: skip
    if not given.lanes:
        yield "No tiers: every request is left on the model that it asks for."
        yield ""


def _chosen(lane: Lane) -> str:
    tier = lane.settings
    if len(tier.models) < 2:
        return "the only one"
    return CHOSEN.get(tier.select) or f"drawn by {' : '.join(f'{one:f}' for one in tier.weights)}"


def _to(name: str | None) -> str:
    """Where a step sends a request: the log's own model has no name that people on call know."""
    return "left on the model that it asks for" if name in {None, LOGGED} else f"to {_md(name)}"


def _routing(given: Resolved) -> Iterator[str]:
    """The steps in the order in which they are tried."""
    routing = given.policy.routing
    number = 0

    def step(text: str) -> str:
        nonlocal number
        number += 1
        return f"{number}. {text}"

    for rule in routing.rules:
        yield step(f"**{_md(rule.name)}**: where {_md(condition(rule.when))}, {_to(rule.to)}.")
    if routing.classifier is not None:
        for _, file, what, _ in _rows(given, "routing.classifier"):
            yield step(f"The learned router {_md(file)} decides, where it can read the request: {_md(what)}.")
    if routing.matrix:
        by_tier: dict[str, list[str]] = {}
        for intent, tier in sorted(routing.matrix.items()):
            by_tier.setdefault(tier, []).append(intent)
        told_intents = "; ".join(f"{', '.join(map(_md, intents))} {_to(tier)}" for tier, intents in by_tier.items())
        yield step(f"By what the message is after: {told_intents}.")
    yield step(f"Everything else: {_to(routing.default)}.")
    for item in routing.raises:
        more = f" The prompt gains: “{_md(item.add_instruction)}”" if item.add_instruction else ""
        yield step(f"**{_md(item.name)}**: where {_md(condition(item.when))}, up to {_md(item.to)}.{more}")
    for floor in routing.floors:
        yield step(f"**{_md(floor.name)}**: where {_md(condition(floor.when))}, at least {_md(floor.at_least)}.")
    yield step("A tier that cannot hold the request gives way to the next higher one that can.")
    if routing.sticky:
        yield step(f"Within a {routing.sticky} the tier never falls.")
    yield ""


def _trouble(given: Resolved) -> Iterator[str]:
    """Timeouts, errors, limits, no evidence, cost spikes: who answers then."""
    policy = given.policy
    retries, kill, hedge, escalate = policy.retries, policy.kill_switch, policy.hedge, policy.escalate
    rows: list[tuple[str, str]] = []
    again = "no second try" if retries is None or not retries.max_count else (
        f"{counted(retries.max_count, 'more try', 'more tries')} after {', '.join(retries.on)}, "
        f"{duration(retries.backoff_us)} apart, doubling"
    )  # fmt: skip
    for lane in given.lanes:
        chain = [other.name for other in given.chain(lane.name)[1:]]
        after = f"then {', then '.join(chain)}" if chain else "then no answer: the application must say so"
        rows.append((f"{lane.name} fails or takes too long", f"{again}; {after}"))
    if hedge:
        rows.append(
            (
                f"{hedge.tier} has not answered after {duration(hedge.after_us)}",
                "a second call runs beside the first; the first answer wins",
            )
        )
    if escalate:
        what = f"the answer of {escalate.from_tier} is not good enough ({', '.join(escalate.when)})"
        ratio = "" if escalate.ratio is None else f"; expected of {escalate.ratio:%} where nothing tells how often"
        rows.append((what, f"{escalate.to} is asked too; both are paid{ratio}"))
    if kill:
        what = f"{kill.error_ratio:%} of a provider's answers in {duration(kill.window_us)} are errors"
        rows.append(
            (f"{what} (of {kill.min_requests} at least)", f"it is passed over for {duration(kill.cooldown_us)}")
        )
    for provider, limit in sorted(policy.limits.items()):
        said = [
            f"{value:,} {name.replace('_', ' ')}"
            for name, value in limit.model_dump().items()
            if isinstance(value, int)
        ]
        rows.append(
            (
                f"{provider} would go over {', '.join(said)}",
                {"queue": "the request waits", "fallback": "the next tier of its chain", "error": "no answer"}[
                    limit.over
                ],
            )
        )
    rows.append(
        ("the text of a request is not known", "rules about text do not match; matrix and default go by what is known")
    )
    yield from _table(("what happens", "what is done"), rows)


def _rows(given: Resolved, *keys: str) -> list[Row]:
    """What `policy check` says of these keys and of those below them, in the order of the file."""
    said = describe(given.policy).tables["policy"].rows
    rows: list[Row] = [(str(kind), str(name), str(what), str(key)) for kind, name, what, key in said]
    return [row for row in rows if any(row[3] == key or row[3].startswith(f"{key}.") for key in keys)]


def _budgets(given: Resolved) -> Iterator[str]:
    """Caps, and what is done over them."""
    rows = _rows(given, "budgets")
    if not rows:
        yield from ("None. A cost spike is stopped by nobody here.", "")
        return
    yield from _table(("cap", "what it does"), (row[1:3] for row in rows))


def _caches(given: Resolved) -> Iterator[str]:
    """What is answered without asking a model, and what is counted on at the providers."""
    rows = _rows(given, "cache")
    if not rows:
        yield from ("None.", "")
        return
    yield from _table(("cache", "what it does"), (row[1:3] for row in rows))
    if given.policy.cache.exact or given.policy.cache.semantic:
        yield "- Personal data is never kept, whatever is excluded."
    if given.policy.cache.prompt:
        yield "- A switch of model begins with a cold prompt cache."
    yield ""


def _beside(given: Resolved) -> Iterator[str]:
    """What is sent, where facts come from, what waits, engines of one's own, and what becomes of answers."""
    rows = _rows(given, *(key for key, heading in _SECTIONS.items() if heading == HEADINGS[5]))
    if not rows:
        yield from ("Nothing: requests are sent as they are, and answers are given as they come.", "")
        return
    yield from _table(("step", "of", "what it does"), (row[:3] for row in rows))
    if given.policy.data_sources:
        yield from ("Data sources are asked in this order, each where none before it had the facts.", "")


def _experiments(given: Resolved) -> Iterator[str]:
    """Who has other settings than those above."""
    rows = _rows(given, "experiments")
    if not rows:
        yield from ("None: everybody has the tiers above.", "")
        return
    yield from _table(("experiment", "who has what"), (row[1:3] for row in rows))


def _where_to_look(given: Resolved) -> Iterator[str]:
    """Where to look when somebody asks why."""
    yield "- Why did a request go there? `costctl explain-request ID` after `costctl simulate` on a log that holds it."
    yield "- Is the router still in step with the policy? `costctl export-config --check`."
    yield "- What would a change do? `costctl simulate --policy new.yaml --compare-to run.json`."
    yield ""


def _tokens(count: int | None) -> str:
    return "no limit" if count is None else f"{count:,} tokens"


def faults(files: Mapping[str, str]) -> list[str]:
    """A heading that is missing."""
    text = files[FILE]
    return [f"no section {shown(heading)}" for heading in HEADINGS if f"\n## {heading}\n" not in text]


TARGET = Target("runbook", "runbook for people on call", "no product: Markdown", export, faults)
