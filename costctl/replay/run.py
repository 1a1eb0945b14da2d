"""One simulation: load the calls, replay the policy, tell it as a Report."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import numpy as np

from costctl import __version__
from costctl.errors import CostctlError
from costctl.formats.profile import profile_of
from costctl.formats.sources import Reader
from costctl.policy.results import Outage
from costctl.policy.schema import Policy
from costctl.prices.book import PriceBook
from costctl.prices.lint import own_doubts
from costctl.replay import project
from costctl.replay.again import Found, Main
from costctl.replay.arms import told_arms
from costctl.replay.attempts_told import NOT_ASKED, attempt_status, attempt_totals, attempt_warnings, attempts_table
from costctl.replay.beside import Asked, add_beside
from costctl.replay.budgets_told import budgets_table, limits_of, share_warnings
from costctl.replay.calls import Calls, calls_digest, exact_sum, forget_lean, load_calls
from costctl.replay.candidates import PriceDays
from costctl.replay.carried import refuse_unfit
from costctl.replay.classifier import know_classifier
from costctl.replay.classifier_told import FIGURES, tell_classifier
from costctl.replay.compile import Known, budget_rules, lanes_of, plan_of, price_candidates, prompt_caches, sent_by
from costctl.replay.decisions import keep
from costctl.replay.engine import Decisions, walk, warm_up
from costctl.replay.exact_told import tell_exact
from costctl.replay.extras import extras_of, with_extras
from costctl.replay.latency import replay_latency
from costctl.replay.latency_told import tell_latency
from costctl.replay.near import know_texts_if_any
from costctl.replay.near_told import tell_near
from costctl.replay.notes import Replay, warnings
from costctl.replay.reading_told import COUNTS, NOT_IN_PROFILE, reading_totals, reading_warnings
from costctl.replay.route import route
from costctl.replay.self_hosted import serve, with_hosted
from costctl.replay.sent_prices import sent_as_logged
from costctl.replay.sent_told import sent_status, sent_tables, sent_totals, sent_warnings
from costctl.replay.tiers_told import tier_warnings
from costctl.replay.totals import assumptions_table, read_ratio, routing_reasons, totals_of
from costctl.replay.unmet import idle, unmet
from costctl.replay.validation import remember_answers
from costctl.report import Report, Warning
from costctl.store import Store

NOTHING_MORE = Asked()
NO_PROMPTS = "not identifiable: no call of the log has a text or a key of its prompt, so none is looked up"
NOT_COMPUTED = {
    "saving_ratio": "not identifiable: the calls of the log cost $0, so no saving is a share of it",
    **dict.fromkeys(
        ("semantic_hit_ratio", "semantic_refresh_ratio", "wrong_per_hit_ratio", "wrong_per_request_ratio"),
        "the policy has no `cache: {semantic: ...}`",
    ),
    "prompt_cache_read_ratio": "the policy has no `cache: {prompt: ...}`",
    **dict.fromkeys(("retry_count", "fallback_count", "timeout_count", "escalated_count"), NOT_ASKED),
    **dict.fromkeys(FIGURES, "the policy has no `routing: {classifier: ...}`"),
    **dict.fromkeys(("routing_accuracy_ratio", "complex_to_premium_ratio"), "needs labels: --scores FILE"),
    "policy_quality_mean": "needs scores of the models that serve: --scores FILE",
    "quality": "no evidence: the log has no scores",
}  # fmt: skip


def replay(store: Store, policy: Policy, book: PriceBook, seed: int, days: PriceDays) -> Replay:
    """Replay the policy over the log that was audited last.

    Raises:
        CostctlError: E410 without any time, E411 for a model without a price, E412 where no token ratio is known.
    """
    return replay_calls(store, load_calls(store), policy, book, seed, days, {})


def replay_calls(
    store: Store, calls: Calls, policy: Policy, book: PriceBook, seed: int, days: PriceDays, known: Known,
    outage: Outage | None = None,
) -> Replay:  # fmt: skip
    """Replay one of several policies over calls that `load_calls` left in the store; `outage` is one of a scenario.

    Raises:
        CostctlError: E411, E412 as `replay`.
    """
    sent = sent_by(store, policy, calls)
    own = None if sent is None else sent_as_logged(store, book, calls, sent, days)
    candidates = price_candidates(store, book, calls, policy, days, known, sent, own)
    forget_lean(store)
    lanes = lanes_of(store, policy, book, calls, candidates, seed, sent, own)
    routed = route(store, policy.routing, calls, lanes)
    rules = budget_rules(store, policy, calls, lanes)
    plan = plan_of(store, policy, calls, lanes, routed, rules, seed, outage)
    decisions = walk(calls, lanes, routed.lane, calls.is_dated & ~calls.is_unpriced, plan)
    cached = prompt_caches(store, policy, book, calls, lanes, decisions, days, known, sent)
    extras = extras_of(store, policy, book, calls, lanes, decisions, sent, candidates, days, seed)
    alone = replay_latency(store, calls, lanes, decisions, seed, plan)
    hosted = serve(policy, calls, lanes, decisions, alone, extras)
    extras = with_hosted(extras, hosted)
    latency = with_extras(alone, extras)

    def spent_by(made: Decisions) -> int:
        spent = exact_sum(project.walked_cost(lanes, made))
        if policy.cache.prompt is not None:
            of_caches = prompt_caches(store, policy, book, calls, lanes, made, days, known, sent)
            spent += exact_sum(of_caches.change_pusd)
        if extras.items:
            spent += exact_sum(extras_of(store, policy, book, calls, lanes, made, sent, candidates, days, seed).pusd)
        return spent

    return Replay(
        calls, lanes, routed, decisions, candidates, rules.titles, cached, latency, sent, extras, hosted, plan, spent_by
    )


def simulate(
    store: Store, policy: Policy, book: PriceBook, seed: int, audit: Report | None = None, digest: str = "",
    asked: Asked = NOTHING_MORE,
) -> Report:  # fmt: skip
    """The report of one policy on the log that was audited last.

    `audit` is the report of that audit, `digest` that of the policy's text.

    Raises:
        CostctlError: as `replay`; E413 where the audit was priced with another set of prices;
            E463 as `know_classifier`; E422, E423, E424 where a profile stands for the log and cannot tell.
    """
    audited: Mapping[str, object] = audit.provenance if audit else {}
    price_set = f"{book.dated.isoformat()} #{book.digest[:8]}"
    if audited.get("price_set", price_set) != price_set:
        raise CostctlError(
            "E413",
            f"the log was audited with prices {audited['price_set']}, this is {price_set}",
            "name the log too: costctl simulate LOG --policy policy.yaml [--prices own.yaml]",
        )
    days = PriceDays(_day(audited, "priced_at"), _day(audited, "prices_as_of"))
    known: Known = {}

    def replayed(calls: Calls, other: Policy, prices: PriceBook, priced: Known, outage: Outage | None = None) -> Replay:
        return replay_calls(store, calls, other, prices, seed, days, priced, outage)

    warm_up(store.scalar("SELECT count(*) FROM request"))
    # As a target, the policy as it is written is replayed too, and asks the log for all that the target leaves of it.
    written = policy if asked.target is None else asked.target.written
    refuse_unfit(store, written, None if asked.reader is None else asked.reader.embedding)
    if written.post_process is not None and written.post_process.validation is not None:
        remember_answers(store, written.post_process.validation, asked.reader)
    know_texts_if_any(store, written, asked.reader)
    unread = _read_prefixes(store, written, asked.reader)
    classifier = know_classifier(store, written, book, asked.router, asked.reader)
    classifier = None if policy.routing.classifier is None else classifier
    done = replayed(load_calls(store), policy, book, known)
    outcome = project.outcome_of(done.calls, done.lanes, done.decisions, done.cached, done.extras)
    named = f"{policy.name} #{digest[:8]}"
    told_as = f"{named} as {asked.target.name}" if asked.target is not None else named
    arms = told_arms(store, policy, done.calls.count, seed)
    keep(
        store, outcome, done.routed, limits_of(done), done.latency, done.plan,
        told_as, arms,
    )  # fmt: skip
    rest = list(project.rests(outcome, done.candidates))
    totals, status = totals_of(outcome, rest)
    missing = dict(NOT_COMPUTED)
    if done.plan.cache is not None and done.plan.cache.is_blind:
        for name in ("exact_hit_ratio", *(() if policy.cache.semantic else ("cache_hit_ratio",))):
            missing[name] = NO_PROMPTS
            del totals[name], status[name]
    timed = tell_latency(done)
    totals, status, missing = totals | timed.totals, status | timed.status, missing | timed.missing
    semantic = tell_near(store, done, asked.scores)
    totals, status, missing = totals | semantic.totals, status | semantic.status, missing | semantic.missing
    for name in semantic.missing.keys() & totals.keys():  # what counts both caches is not known either
        del totals[name], status[name]
    exact = tell_exact(store, policy, done, asked.scores)
    totals, status = totals | exact.totals, status | exact.status
    learned = tell_classifier(classifier, policy, done, outcome, book)
    totals, status, missing = totals | learned.totals, status | learned.status, missing | learned.missing
    totals |= attempt_totals(done)
    status |= attempt_status(done)
    totals |= sent_totals(done)
    sent_status(done, status)
    if done.decisions.played is not None:
        for name in {"policy_cost_usd", "saving_usd", "saving_ratio"} & totals.keys():
            status[name] = "estimated" if status[name] == "estimated" else "replayed under assumption"
    if not np.isnan(done.calls.quality).all():
        missing["quality"] = "no evidence: the log's scores are of the models that answered, see the table quality"
    only = list(project.rests_of_references(done.calls, done.candidates, rest))
    tables = [
        project.waterfall(outcome), project.by_tier(outcome), project.by_model(outcome), budgets_table(done),
        routing_reasons(done), *learned.tables, *semantic.tables, *timed.tables, attempts_table(done),
        *sent_tables(done), project.daily(outcome), assumptions_table(rest, only),
    ]  # fmt: skip
    if policy.cache.prompt is not None:
        tables.append(project.prompt_cache_arms(outcome))
        totals["prompt_cache_read_ratio"], status["prompt_cache_read_ratio"] = (
            read_ratio(outcome),
            "replayed under assumption",
        )
    read = reading_totals(audit, profile := profile_of(store))
    totals, status = totals | read, status | dict.fromkeys(read, "exact")
    missing |= {} if profile is None else dict.fromkeys(COUNTS, NOT_IN_PROFILE)
    changed = sum((Decimal(str(row[3])) for row in tables[0].rows), Decimal(0))
    assert changed == totals["policy_cost_usd"] - totals["baseline_cost_usd"], (
        "the waterfall does not sum to the change"
    )
    said = [
        *reading_warnings(audit),
        *own_doubts(book),
        *warnings(store, policy, done, outcome, rest, audit),
        *attempt_warnings(store, policy, done, outcome),
        *sent_warnings(policy, done),
        *timed.warnings,
        *learned.warnings,
        *exact.warnings,
        *semantic.warnings,
        *unread,
        *tier_warnings(policy, done),
        *share_warnings(done),
        *unmet(store, policy, done),
        *idle(store, policy, done),
    ]
    as_target = {} if asked.target is None else {"as_target": asked.target.name}
    add_beside(
        Main(store, policy, book, seed, days, known, done, outcome, replayed), asked,
        Found(totals, status, missing, tables, said),
    )  # fmt: skip
    return Report(
        "simulate", totals, {table.name: table for table in tables}, tuple(said),
        {
            "costctl": __version__, "policy": named, **as_target, "seed": seed, "price_set": price_set,
            "logs": audited.get("logs", []), "calls_digest": calls_digest(done.calls), "status": status,
            "not_computed": {name: why for name, why in missing.items() if name not in totals},
        },
    )  # fmt: skip


def _read_prefixes(store: Store, policy: Policy, reader: Reader | None) -> list[Warning]:
    """Know the beginnings of the prompts from their texts, where prompt caches ask for them and the log has them."""
    if policy.cache.prompt is None or reader is None:
        return []
    from costctl.formats.prefixes import remember_prefixes, show_prefixes  # noqa: PLC0415  (polars)

    try:
        remember_prefixes(store, reader)
    except CostctlError as error:
        return [Warning("W218", f"{error.message}: sessions say what prompts share", error.hint or "")]
    show_prefixes(store)
    return []


def _day(audited: Mapping[str, object], name: str) -> datetime | None:
    return datetime.fromisoformat(str(audited[name])) if audited.get(name) else None
