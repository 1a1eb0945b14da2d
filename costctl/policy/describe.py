"""A policy told in a table: what each part of it does, without any log."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from costctl.policy.describe_stages import Row, told_stages
from costctl.policy.results import Assume, Export, Scenarios
from costctl.policy.schema import ArmSettings, Budgets, Policy, Routing, TierChange, TierSettings
from costctl.policy.tell import condition, duration
from costctl.report import Report, Table, Value

COLUMNS = ("kind", "name", "what", "key")
CHOSEN = {"first": "the first that can", "cheapest": "the cheapest that can", "fastest": "the fastest that can"}


def policy_digest(path: Path) -> str:
    """The digest of the file's bytes, by which a report names the very policy it replayed."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def describe(policy: Policy) -> Report:
    """A row for everything of a policy that has an effect, under its key in the file."""
    rows = [
        *(("tier", one.name, _tier(one), "tiers") for one in policy.tiers),
        *(("specialist", one.name, _tier(one), "specialists") for one in policy.specialists),
        *_routing(policy.routing), *_budgets(policy.budgets), *told_stages(policy), *_experiments(policy),
        *_assumed(policy.assume, is_said="assume" in policy.model_fields_set),
        *(
            ("fixed cost", one.name, f"${one.usd_per_month:f} a month" + _once(one.one_off_usd), "fixed_costs")
            for one in policy.fixed_costs
        ),
        *_stress(policy.scenarios),
        *(("gate", gate.metric, f"{gate.operator} {gate.bound:f} ({gate.level})", "gates") for gate in policy.gates),
        *_export(policy.export),
    ]  # fmt: skip
    totals: dict[str, Value] = {
        "policy": policy.name,
        "tier_count": len(policy.tiers),
        "rule_count": len(policy.routing.rules),
    }
    return Report("policy check", totals, {"policy": Table.of("policy", COLUMNS, rows)})


def _once(usd: object) -> str:
    return f", ${usd:f} once" if usd else ""


def _tier(tier: TierSettings | TierChange) -> str:
    """Models, how one is chosen, and limits; of a change what it says."""
    models = ", ".join(tier.models or ())
    if tier.select == "weights" or tier.weights:
        models += f", drawn by {' : '.join(f'{one:f}' for one in tier.weights or ())}"
    elif tier.select is not None and (tier.models is None or len(tier.models) > 1):
        models += f"{', ' if models else ''}{CHOSEN[tier.select]}"
    said = [
        text
        for value, text in (
            (tier.max_output_tokens, f"at most {tier.max_output_tokens or 0:,} tokens out"),
            (tier.context_tokens, f"{tier.context_tokens or 0:,} tokens of context"),
            (tier.temperature, f"temperature {tier.temperature or 0:f}"),
            (tier.timeout_us, f"timeout {duration(tier.timeout_us or 0)}"),
        )
        if value is not None
    ]
    return f"{models} ({', '.join(said)})".strip() if said else models


def _routing(routing: Routing) -> Iterator[Row]:
    for rule in routing.rules:
        yield "rule", rule.name, f"where {condition(rule.when)}, to {rule.to}", "routing.rules"
    if routing.classifier is not None:
        least = routing.classifier.min_confidence
        sure = "" if least is None else f"; to the cheaper tier from a confidence of {least:.0%} on"
        what = f"a learned router, asked where no rule matches{sure}"
        yield "classifier", routing.classifier.file, what, "routing.classifier"
    for intent, tier in routing.matrix.items():
        yield "matrix", intent, f"to {tier}", "routing.matrix"
    yield "default", routing.default or "logged", "where no rule and no intent decides", "routing.default"
    for item in routing.raises:
        more = f"; its instruction gains: {item.add_instruction}" if item.add_instruction else ""
        yield "raise", item.name, f"where {condition(item.when)}, up to {item.to}{more}", "routing.raise"
    for floor in routing.floors:
        yield "floor", floor.name, f"where {condition(floor.when)}, at least {floor.at_least}", "routing.floors"
    if routing.sticky:
        yield "sticky", routing.sticky, f"within a {routing.sticky} the tier never falls", "routing.sticky"


def _budgets(budgets: Budgets) -> Iterator[Row]:
    rows: list[Row] = [
        (
            "budget",
            f"share of {tier}",
            f"at most {share:%} of a day's calls, from its 101st on",
            "budgets.max_share_per_day",
        )
        for tier, share in budgets.max_share_per_day.items()
    ]
    rows += [
        ("budget", f"{cap.scope} {cap.name or ''}".strip(), f"at most ${cap.max_usd:f} a day", "budgets.usd_per_day")
        for cap in budgets.usd_per_day
    ]
    if budgets.usd_per_request_max is not None:
        rows.append(("budget", "request", f"at most ${budgets.usd_per_request_max:f}", "budgets.usd_per_request_max"))
    for one in budgets.tokens_per_day:
        each = "each " if one.scope == "user_profile" else ""
        of = f"{one.scope} {one.name}"
        what = f"at most {one.max_tokens:,} tokens a day" + (f" for {each}user" if each else "")
        rows.append(("budget", of, what, "budgets.tokens_per_day"))
    yield from rows
    if rows or budgets != Budgets():
        over = "one tier down, served all the same on the lowest" if budgets.over == "degrade" else "refused"
        floor = "below a floor too" if budgets.over_floor else "never below a floor"
        yield "budget", "over a cap", f"{over}; {floor}" if budgets.over == "degrade" else over, "budgets"


def _experiments(policy: Policy) -> Iterator[Row]:
    for one in policy.experiments:
        arms = ", ".join(f"{arm.name} {arm.share:.0%}{_arm(arm)}" for arm in one.arms)
        yield "experiment", one.name, f"by {one.unit}: {arms}", "experiments"


def _arm(arm: ArmSettings) -> str:
    changes = "; ".join(f"{name}: {_tier(change)}" for name, change in arm.tiers.items())
    return f" ({changes})" if changes else ""


def _assumed(assume: Assume, *, is_said: bool) -> Iterator[Row]:
    """Numbers for all models or by model; a policy that says so assumes nothing of its own."""
    rows: list[Row] = []
    for name in ("output_tokens_ratio", "input_tokens_ratio", "output_tokens_per_s", "first_token_ms"):
        value = getattr(assume, name)
        by_model: Iterable[tuple[str, object]] = value.items() if hasattr(value, "items") else [("every model", value)]
        for model, number in by_model if value is not None else ():
            rows.append(("assume", name.replace("_", " "), f"{number:f} of {model}", "assume"))
    if assume.timed_out_is_billed:
        rows.append(("assume", "timed out is billed", "work that a timeout ends is paid as the whole answer", "assume"))
    if assume.summary_tokens_ratio != Assume().summary_tokens_ratio:
        what = f"{assume.summary_tokens_ratio:f} of what a summary replaces"
        rows.append(("assume", "summary tokens ratio", what, "assume"))
    if is_said and not rows:
        rows.append(("assume", "nothing", "what the log cannot show comes from published figures", "assume"))
    yield from rows


def _stress(scenarios: Scenarios | None) -> Iterator[Row]:
    if scenarios is None:
        return
    if scenarios.outage is not None:
        out = scenarios.outage
        what = f"from {out.from_at:%Y-%m-%dT%H:%MZ} for {duration(out.duration_us)}"
        yield "scenario", f"outage of {out.provider}", what, "scenarios"
    if scenarios.volume_ratio is not None:
        yield "scenario", "volume", f"{scenarios.volume_ratio:f} times the log", "scenarios"
    for name, ratio in scenarios.price_ratio.items():
        yield "scenario", f"price of {name}", f"x {ratio:f}", "scenarios"


def _export(export: Export | None) -> Iterator[Row]:
    if export is None:
        return
    for target in export.targets:
        yield "export", target, "a router that is given this policy: costctl export-config", "export"
    if export.accept_loss:
        yield "export", "accepted losses", ", ".join(export.accept_loss), "export"
