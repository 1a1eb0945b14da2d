"""A policy told in a table: what each part of it does, without any log."""

from __future__ import annotations

import hashlib
from pathlib import Path

from costctl.policy.results import FixedCost, Scenarios
from costctl.policy.schema import Policy
from costctl.report import Report, Table, Value

MICROSECONDS_PER_HOUR = 3_600_000_000


def policy_digest(path: Path) -> str:
    """The digest of the file's bytes, by which a report names the very policy it replayed."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def describe(policy: Policy) -> Report:
    """Tiers, routing, budgets and caches of a policy that was read without a mistake."""
    rows: list[tuple[Value, ...]] = [
        ("tier" if number < len(policy.tiers) else "specialist", tier.name, ", ".join(tier.models) + _limits(tier))
        for number, tier in enumerate((*policy.tiers, *policy.specialists))
    ]
    routing = policy.routing
    rows += [("rule", rule.name, f"to {rule.to}") for rule in routing.rules]
    if routing.classifier is not None:
        least = routing.classifier.min_confidence
        sure = "" if least is None else f"; to the cheaper tier from a confidence of {least:.0%} on"
        rows.append(("classifier", routing.classifier.file, f"a learned router, asked where no rule matches{sure}"))
    rows += [("matrix", intent, f"to {tier}") for intent, tier in routing.matrix.items()]
    rows.append(("default", routing.default or "logged", "where no rule and no intent decides"))
    rows += [("raise", item.name, f"to {item.to}") for item in routing.raises]
    rows += [("floor", item.name, f"at least {item.at_least}") for item in routing.floors]
    if routing.sticky:
        rows.append(("sticky", routing.sticky, f"within a {routing.sticky} the tier never falls"))
    rows += [
        ("budget", f"share of {tier}", f"at most {share:%} a day")
        for tier, share in policy.budgets.max_share_per_day.items()
    ]
    rows += [
        ("budget", f"{cap.scope} {cap.name or ''}".strip(), f"at most ${cap.max_usd:f} a day")
        for cap in policy.budgets.usd_per_day
    ]
    if policy.budgets.usd_per_request_max is not None:
        rows.append(("budget", "request", f"at most ${policy.budgets.usd_per_request_max:f}"))
    rows += [
        ("budget", f"{cap.scope} {cap.name}", f"at most {cap.max_tokens:,} tokens a day")
        for cap in policy.budgets.tokens_per_day
    ]
    if policy.cache.exact:
        exact = policy.cache.exact
        hours = exact.ttl_us / MICROSECONDS_PER_HOUR
        rows.append(
            ("cache", "exact", f"{hours:g} h from {exact.ttl_from}, per {' + '.join(exact.scope) or 'everybody'}")
        )
    rows += [
        ("self-hosted", one.name, f"{one.count} x {one.accelerator or 'accelerator'} at ${one.usd_per_hour:f} an hour")
        for one in policy.self_hosted
    ]
    rows += [("fixed cost", one.name, _cost(one)) for one in policy.fixed_costs]
    rows += [
        ("experiment", one.name, f"by {one.unit}: {', '.join(f'{arm.name} {arm.share:.0%}' for arm in one.arms)}")
        for one in policy.experiments
    ]
    if policy.scenarios is not None:
        rows += _stress(policy.scenarios)
    rows += [("gate", gate.metric, f"{gate.operator} {gate.bound:f} ({gate.level})") for gate in policy.gates]
    totals: dict[str, Value] = {
        "policy": policy.name,
        "tier_count": len(policy.tiers),
        "rule_count": len(routing.rules),
    }
    return Report("policy check", totals, {"policy": Table.of("policy", ("kind", "name", "what"), rows)})


def _cost(one: FixedCost) -> str:
    once = f", ${one.one_off_usd:f} once" if one.one_off_usd else ""
    return f"${one.usd_per_month:f} a month{once}"


def _stress(scenarios: Scenarios) -> list[tuple[Value, ...]]:
    volume = scenarios.volume_ratio
    rows: list[tuple[Value, ...]] = [] if volume is None else [("scenario", "volume", f"{volume:f} times the log")]
    return rows + [("scenario", f"price of {name}", f"x {ratio:f}") for name, ratio in scenarios.price_ratio.items()]


def _limits(tier: object) -> str:
    said = [
        f"{getattr(tier, name):,} {title}"
        for name, title in (("max_output_tokens", "tokens out"), ("context_tokens", "tokens of context"))
        if getattr(tier, name) is not None
    ]
    return f" ({', '.join(said)})" if said else ""
