"""Everything of a report that stands beside its one replay, and what of it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from costctl.formats.sources import Reader
from costctl.policy.keys import Table as Caps
from costctl.policy.schema import Policy, Routing
from costctl.replay import project
from costctl.replay.again import Found, Main, spent_pusd, standing
from costctl.replay.as_target import AsTarget, tell_as_target
from costctl.replay.calls import exact_sum
from costctl.replay.classifier import used_classifier
from costctl.replay.classifier_told import own_labels
from costctl.replay.compile import context_windows
from costctl.replay.experiments import tell_experiments
from costctl.replay.fixed_costs import tell_fixed_costs
from costctl.replay.references import references
from costctl.replay.scenarios import scenarios
from costctl.replay.scores import Evidence, altered, evidence_rows, load_scores, tell_scores
from costctl.replay.scores_file import Scores
from costctl.replay.self_hosted_told import quality_rows, tell_self_hosted
from costctl.replay.staged import staged
from costctl.replay.sweep import Grid, sweep
from costctl.report import Table
from costctl.tiers.learned import Router

WITHOUT_ROUTING = "saving_without_routing_usd"


@dataclass(frozen=True)
class Asked:
    """What a simulation is asked for beside its policy."""

    is_staged: bool = False
    scores: Scores | None = None
    grid: Grid | None = None
    reader: Reader | None = None  # of the log's texts, where they may be read again
    router: Router | None = None  # of `routing.classifier`
    claims: Callable[[Main, Evidence | None], Found] | None = None  # what the layer above has to say of quality
    target: AsTarget | None = None  # the router that carries the policy out, where it is simulated as one
    measure: Callable[[Main], None] | None = None  # replays of the layer above that add nothing to the report


def add_beside(main: Main, asked: Asked, found: Found) -> None:
    """Add it all; `found` holds the totals, statuses, reasons, tables and warnings of the main replay."""
    policy = main.policy
    if asked.target is not None:
        _add(found, tell_as_target(main, asked.target))
    evidence = None
    if asked.scores is not None:
        tiers = tuple(tier.name for tier in policy.tiers)
        done = main.done
        evidence = load_scores(main.store, asked.scores, done.calls, tiers, altered(done), done.lanes.models)
        _add(found, tell_scores(main, evidence, asked.scores))
        if policy.routing.classifier is not None:
            found.warnings += own_labels(used_classifier(main.store), evidence, main.book)
    found.tables += _tables(main, evidence)
    if asked.claims is not None:
        _add(found, asked.claims(main, evidence))
    _without_routing(main, found)
    _add(found, tell_self_hosted(main))
    engines, standing = [one.spec for one in main.done.hosted.works], found.status["saving_usd"]
    _add(found, tell_fixed_costs(policy.fixed_costs, engines, main.done.calls, found.totals, standing))
    if policy.experiments:
        _add(found, tell_experiments(main))
    if asked.is_staged:
        found.tables.append(staged(main))
    if asked.grid:
        found.tables.append(sweep(main, asked.grid))
    if policy.scenarios is not None:
        found.tables.append(scenarios(main, policy.scenarios))
    if asked.measure is not None:
        asked.measure(main)


def _add(found: Found, more: Found) -> None:
    found.totals |= more.totals
    found.status |= more.status
    found.missing |= more.missing
    found.tables += more.tables
    found.warnings += more.warnings
    if "policy_quality_mean" in more.totals:
        found.missing.pop("quality", None)


def _tables(main: Main, evidence: Evidence | None) -> list[Table]:
    """References and quality, which a file of scores adds to."""
    windows = context_windows(main.book, main.done.candidates)
    quality = project.quality(main.outcome)
    rows = [*((*row, "log") for row in quality.rows), *quality_rows(main)]
    if evidence is not None:
        rows += evidence_rows(main.outcome, evidence)
    return [
        references(main.outcome, main.done.candidates, windows, evidence),
        Table.of("quality", (*quality.columns, "scored_in"), rows),
    ]


def _unrouted(policy: Policy) -> Policy:
    """The policy where every call stays as logged: its caches and what budgets say of such calls is all that is left.

    What only calls on tiers meet goes too, so that this replay needs a fraction of the time and memory.
    """
    said = policy.budgets
    budgets = said.model_copy(
        update={
            "max_share_per_day": Caps({}),
            "usd_per_day": tuple(cap for cap in said.usd_per_day if cap.scope != "tier"),
        }
    )
    cache = policy.cache
    if cache.semantic is not None:  # without tiers nobody refreshes
        alone = cache.semantic.model_copy(update={"refresh_min": None, "refresh_tier": None})
        cache = cache.model_copy(update={"semantic": alone})
    left = Policy(version=1, name=policy.name, cache=cache, assume=policy.assume)
    return left.model_copy(update={"budgets": budgets})


def _without_routing(main: Main, found: Found) -> None:
    """What the policy would save if it routed nothing: its caches and budgets alone."""
    if main.policy.routing == Routing():
        found.tell(WITHOUT_ROUTING, found.totals["saving_usd"], found.status["saving_usd"])
        return
    done = main.replayed(main.done.calls, _unrouted(main.policy), main.book, main.known)
    outcome = project.outcome_of(done.calls, done.lanes, done.decisions, done.cached, done.extras)
    saving = project.usd(exact_sum(outcome.calls.baseline_pusd) - spent_pusd(outcome))
    found.tell(WITHOUT_ROUTING, saving, standing(outcome, list(project.rests(outcome, done.candidates))))
