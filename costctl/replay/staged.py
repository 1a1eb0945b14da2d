"""The roadmap: the policy's levers added one after another, each row with the saving of all so far."""

from __future__ import annotations

from decimal import Decimal
from typing import TypeVar

from costctl.money import usd_display
from costctl.policy.keys import Table as Names
from costctl.policy.schema import Experiment, Policy, Tier, TierChange
from costctl.policy.stages import Cache
from costctl.prices.published import load_claims
from costctl.replay import project
from costctl.replay.again import Main, ratio_of, spent_pusd
from costctl.replay.project import usd
from costctl.report import Table, Value

COLUMNS = (
    "lever", "policy_cost_usd", "saving_usd", "saving_ratio", "added_usd", "claimed_low_ratio", "claimed_high_ratio",
    "what",
)  # fmt: skip
ABSENT = "not in the policy"
# Stages of the waterfall that the rows before the last one have, and how many of the others are named.
EARLIER = ("exact_cache", "semantic_cache", "route", "self_hosted")
NAMED_MAX, NAMED_FROM_USD = 4, Decimal("0.01")
T = TypeVar("T", Tier, TierChange)


def staged(main: Main) -> Table:
    """Four rows in the order of the published roadmaps; the last is the whole policy, to the last digit."""
    policy, whole = main.policy, spent_pusd(main.outcome)
    cached = main.baseline_pusd if policy.cache.exact is None else spent_pusd(main.again(exact_cache_only(policy)))
    has_routing = bool(policy.tiers or policy.specialists)
    routed = spent_pusd(main.again(with_routing(policy))) if has_routing else cached
    rest = f"{', '.join(_rest(policy)) or 'nothing more in the policy'}{_largest(main)}"
    near = spent_pusd(main.again(with_semantic(policy))) if policy.cache.semantic else routed
    steps = (
        ("exact cache", cached, "" if policy.cache.exact else ABSENT),
        ("+ routing", routed, _engines(main) if has_routing else ABSENT),
        ("+ semantic cache", near, _without_near(main)),
        ("+ prompt caching and the rest", whole, rest),
    )
    bands = {claim.id: claim for claim in load_claims()}
    rows: list[tuple[Value, ...]] = []
    before = main.baseline_pusd
    for number, (lever, cost, what) in enumerate(steps, 1):
        claim = bands[f"saving_stage_{number}"]
        saving = main.baseline_pusd - cost
        rows.append((
            lever, usd(cost), usd(saving), ratio_of(saving, main.baseline_pusd), usd(before - cost), claim.low_ratio,
            claim.high_ratio, what,
        ))  # fmt: skip
        before = cost
    assert rows[-1][1] == usd(spent_pusd(main.outcome)), "the roadmap does not end at the policy"
    assert sum((Decimal(str(row[4])) for row in rows), Decimal(0)) == usd(main.baseline_pusd - whole)
    return Table.of("staged", COLUMNS, rows)


def _largest(main: Main) -> str:
    """What most of the last step is: it is named after prompt caches, and may be of budgets above all."""
    rows = [(str(row["title"]), Decimal(str(row["change_usd"]))) for row in project.waterfall(main.outcome).dicts()
            if row["stage"] not in EARLIER]  # fmt: skip
    large = sorted((row for row in rows if abs(row[1]) >= NAMED_FROM_USD), key=lambda row: -abs(row[1]))
    told = ", ".join(f"{title} {usd_display(change)}" for title, change in large[:NAMED_MAX])
    return f"; largest in the waterfall: {told}" if told else ""


def _engines(main: Main) -> str:
    paid = sum(work.bill.pusd for work in main.done.hosted.works)
    return f"with the bill of engines of one's own, {usd_display(usd(paid))}" if paid else ""


def _without_near(main: Main) -> str:
    if main.policy.cache.semantic is None:
        return ABSENT
    return "skipped: the log has no prompts" if main.done.plan.semantic is None else ""


def exact_cache_only(policy: Policy) -> Policy:
    """The policy's exact cache, every call on its logged model."""
    cache = Cache(exact=policy.cache.exact, exclude=policy.cache.exclude)
    return Policy(version=1, name=policy.name, cache=cache, assume=policy.assume)


def with_routing(policy: Policy) -> Policy:
    """The exact cache, and routing to the tiers' models with whole answers."""
    update = {
        "tiers": tuple(map(_uncapped, policy.tiers)),
        "specialists": tuple(map(_uncapped, policy.specialists)),
        "self_hosted": policy.self_hosted,
        "routing": policy.routing,
        "experiments": tuple(map(_plain_arms, policy.experiments)),
    }
    return exact_cache_only(policy).model_copy(update=update)


def with_semantic(policy: Policy) -> Policy:
    """The same with the semantic cache."""
    routed = with_routing(policy)
    return routed.model_copy(update={"cache": routed.cache.model_copy(update={"semantic": policy.cache.semantic})})


def _uncapped(settings: T) -> T:
    """A tier, or an arm's change of one, without what cuts or breaks off an answer."""
    return settings.model_copy(update={"max_output_tokens": None, "timeout_us": None})


def _plain_arms(experiment: Experiment) -> Experiment:
    arms = tuple(
        arm.model_copy(update={"tiers": Names({name: _uncapped(change) for name, change in arm.tiers.items()})})
        for arm in experiment.arms
    )
    return experiment.model_copy(update={"arms": arms})


def _rest(policy: Policy) -> list[str]:
    """What the last row adds, in the words of the policy file."""
    tiers = (*policy.tiers, *policy.specialists)
    parts = (
        ("prompt caches", policy.cache.prompt),
        ("budgets", policy.budgets != type(policy.budgets)()),
        ("output caps", any(tier.max_output_tokens is not None for tier in tiers)),
        ("timeouts", any(tier.timeout_us is not None for tier in tiers)),
        ("retries", policy.retries), ("fallbacks", policy.fallbacks), ("hedge", policy.hedge),
        ("escalation", policy.escalate), ("limits", policy.limits), ("kill switch", policy.kill_switch),
        ("context", policy.context), ("compression", policy.compression), ("batch", policy.batch),
        ("data sources", policy.data_sources),
        ("post-processing", policy.post_process),
    )  # fmt: skip
    return [name for name, said in parts if said]
