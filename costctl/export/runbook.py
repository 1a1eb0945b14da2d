"""The runbook: what the router decides, and what is answered when something goes wrong, for the people on call."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from costctl.export.base import Carried, Exported, Target, expressed, header, told
from costctl.export.resolved import Resolved
from costctl.policy.parts import PARTS
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
    "Where to look",
)
_CARRIED: Mapping[str, Carried] = {part: expressed("described for people") for part in PARTS}
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
    for heading, part in zip(HEADINGS, (_tiers, _routing, _trouble, _budgets, _caches, _where_to_look), strict=True):
        lines += [f"## {heading}", "", *part(given)]
    return Exported({FILE: "\n".join(lines).rstrip() + "\n"}, told(given, _CARRIED))


def _tiers(given: Resolved) -> Iterator[str]:
    """Lanes, models in the order in which they are asked, limits."""
    yield from _table(
        ("tier", "models", "chosen", "answer at most", "context", "temperature", "timeout"),
        (
            (
                lane.name, ", ".join((*(one.name for one in lane.models), *["as asked for"] * lane.has_logged)),
                lane.settings.select if len(lane.settings.models) > 1 else "the only one",
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


def _routing(given: Resolved) -> Iterator[str]:
    """The steps in the order in which they are tried."""
    routing = given.policy.routing
    number = 0

    def step(text: str) -> str:
        nonlocal number
        number += 1
        return f"{number}. {text}"

    for rule in routing.rules:
        yield step(f"**{_md(rule.name)}**: where {_md(condition(rule.when))}, to {_md(rule.to)}.")
    if routing.classifier is not None:
        yield step(f"The learned router {_md(routing.classifier.file)} decides, where it can read the request.")
    if routing.matrix:
        by_tier: dict[str, list[str]] = {}
        for intent, tier in sorted(routing.matrix.items()):
            by_tier.setdefault(tier, []).append(intent)
        told_intents = "; ".join(f"{', '.join(map(_md, intents))} to {_md(tier)}" for tier, intents in by_tier.items())
        yield step(f"By what the message is after: {told_intents}.")
    default = routing.default
    yield step(
        f"Everything else to {_md(default)}." if default else "Everything else stays on the model that it asks for."
    )
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
        rows.append((what, f"{escalate.to} is asked too; both are paid"))
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
                {"queue": "the request waits", "fallback": "the next lane of its chain", "error": "no answer"}[
                    limit.over
                ],
            )
        )
    rows.append(("no rule, intent or default speaks", "the request stays on the model that it asks for"))
    rows.append(
        ("the text of a request is not known", "rules about text do not match; matrix and default go by what is known")
    )
    yield from _table(("what happens", "what is done"), rows)


def _budgets(given: Resolved) -> Iterator[str]:
    """Caps, and what is done over them."""
    budgets = given.policy.budgets
    rows: list[tuple[str, str]] = [
        (f"share of {tier} a day", f"{share:%}") for tier, share in sorted(budgets.max_share_per_day.items())
    ]
    rows += [
        (f"dollars a day, {cap.scope} {cap.name or ''}".strip(), f"${cap.max_usd:f}") for cap in budgets.usd_per_day
    ]
    rows += [(f"tokens a day, {cap.scope} {cap.name}", f"{cap.max_tokens:,}") for cap in budgets.tokens_per_day]
    if budgets.usd_per_request_max is not None:
        rows.append(("dollars a request", f"${budgets.usd_per_request_max:f}"))
    if not rows:
        yield from ("None. A cost spike is stopped by nobody here.", "")
        return
    yield from _table(("cap", "at most"), rows)
    over = "the next lower tier that stays below it" if budgets.over == "degrade" else "the request is refused"
    yield f"Over a cap: {over}{'' if budgets.over_floor else '; never below a floor'}."
    yield ""


def _caches(given: Resolved) -> Iterator[str]:
    """What is answered without asking a model."""
    cache = given.policy.cache
    said = False
    if cache.exact:
        said = True
        whose = ", ".join(cache.exact.scope) or "everybody"
        yield f"- Equal questions: for {duration(cache.exact.ttl_us)} from {cache.exact.ttl_from}, per {whose}."
    if cache.semantic:
        said = True
        spans, least = ", ".join(duration(one.ttl_us) for one in cache.semantic.ttls), cache.semantic.refresh_min
        yield f"- Near questions: served from a similarity of {cache.semantic.serve_min:f} on, for {spans}."
        if least is not None:
            yield f"- Between {least:f} and that, {_md(cache.semantic.refresh_tier)} writes the kept answer anew."
    if cache.prompt:
        said = True
        yield "- The providers' own prompt caches are counted on; a switch of model begins cold."
    if cache.exclude or said:
        more = "".join(f", {_md(one)}" for one in cache.exclude if one != "personal_data")
        yield f"- Never kept: personal data{more}."
    if not said:
        yield "None."
    yield ""


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
