"""What changes how the numbers of a simulation are to be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from costctl.money import usd_display
from costctl.policy.schema import Policy
from costctl.replay import project
from costctl.replay.calls import Calls, exact_sum
from costctl.replay.candidates import Candidate
from costctl.replay.engine import Decisions
from costctl.replay.extras import Extras
from costctl.replay.lanes import Lanes
from costctl.replay.latency import Latency
from costctl.replay.plan import (
    DEGRADED,
    ESCALATED,
    EXACT_CACHE,
    FELL_BACK,
    OVER_BUDGET,
    OVERSPENT,
    PROVIDER,
    REFUSED,
    SEMANTIC_CACHE,
    Plan,
)
from costctl.replay.route import Route
from costctl.replay.self_hosted import Hosted
from costctl.replay.sent import Sent
from costctl.replay.stages.prompt_cache import Cached
from costctl.report import Report, Warning, counted
from costctl.store import Store

UNPRICED_SHOWN = 3  # models; the audit names all


@dataclass(frozen=True)
class Replay:
    """Everything of one replay, for reports and explanations."""

    calls: Calls
    lanes: Lanes
    routed: Route
    decisions: Decisions
    candidates: dict[str, Candidate]
    caps: tuple[str, ...]
    cached: Cached
    latency: Latency
    sent: Sent | None
    extras: Extras
    hosted: Hosted
    plan: Plan
    spent_pusd: Callable[[Decisions], int]
    """What other decisions on the same lanes cost in all, but for engines of one's own."""


def warnings(
    store: Store,
    policy: Policy,
    done: Replay,
    outcome: project.Outcome,
    rest: list[project.Rest],
    audit: Report | None,
) -> tuple[Warning, ...]:
    """Every warning of a simulation, in a fixed order; `audit` is the report of the log's audit."""
    calls = done.calls
    said = []
    priced = calls.is_ok & ~calls.is_unpriced & calls.is_dated
    for code, here, one, many in (
        ("W201", calls.is_unpriced, "call has no list price, so it meets no cache and no budget",
         "calls have no list price, so they meet no cache and no budget"),
        ("W202", ~calls.is_dated, "call has no time, so it meets no cache and no budget",
         "calls have no time, so they meet no cache and no budget"),
        ("W203", ~calls.is_ok & ~calls.is_unpriced & calls.is_dated,
         "call failed in the log, so no other model is tried", "calls failed in the log, so no other model is tried"),
        ("W204", priced & ~calls.is_movable, "call has no token counts", "calls have no token counts"),
    ):  # fmt: skip
        count = int(np.count_nonzero(here))
        if count:
            stays = exact_sum(outcome.used_pusd, here)  # without a share of engines that stand idle
            told = f"; {usd_display(project.usd(stays))} of the policy's cost is theirs" if stays else ""
            hint = ""
            if code == "W201":
                told += _unpriced(store)
                hint = "costctl audit says what each lacks; a price of your own: --prices own.yaml"
            said.append(Warning(code, f"{counted(count, one, many)}: left as the log has them{told}", hint))
    if any(ratio.output.how != "assumed" for ratio in rest):
        said.append(
            Warning(
                "W205",
                "output tokens of other models are an estimate; the range shows how far it can be off",
                "measure some requests and say it: assume: {output_tokens_ratio: 1.1}",
            )
        )
    unknown = int(np.count_nonzero(done.routed.is_unknown))
    if unknown:
        said.append(
            Warning(
                "W208",
                f"{counted(unknown, 'call stays', 'calls stay')} as logged: "
                "the tokens that the models of their tier would use are unknown",
                "say it in the policy: assume: {output_tokens_ratio: 1}",
            )
        )
    refused = int(np.count_nonzero(done.decisions.served_by == REFUSED))
    if refused:
        kept = usd_display(project.usd(exact_sum(calls.baseline_pusd, done.decisions.served_by == REFUSED)))
        stopped = counted(refused, "call is", "calls are")
        text = f"{stopped} refused: the {kept} that they cost in the log counts as saved"
        said.append(Warning("W209", text, "gate it: refused_count <= N"))
    hits = int(np.count_nonzero(done.decisions.served_by == EXACT_CACHE))
    if hits:
        free = counted(hits, "cache hit counts", "cache hits count")
        said.append(Warning("W207", f"{free} as 0 ms: what a look-up takes is not in the log"))
        partly = [one for one in (audit.warnings if audit else ()) if one.code == "W160"]
        said += [Warning(one.code, one.message, "an equal visible text may be another question") for one in partly]
    said += _across_models(policy, done, outcome)
    is_elsewhere = outcome.is_served & done.lanes.take("is_other_model", done.decisions.lane)
    is_unsaid = is_elsewhere & (calls.cache_read_tokens < 0) & (done.cached.read_tokens > 0)
    if is_unsaid.any():
        count, gained = int(np.count_nonzero(is_unsaid)), -exact_sum(done.cached.change_pusd, is_unsaid)
        said.append(
            Warning(
                "W236",
                f"{counted(count, 'moved call reads', 'moved calls read')} a prompt cache here, "
                "and the log does not say whether they did there: "
                f"their baseline is priced uncached, so {usd_display(project.usd(gained))} of the saving may be none",
                "log the cached tokens, or leave cache.prompt out to compare both sides uncached",
            )
        )
    said += _unsaid_reads(policy, done, outcome)
    moved_cached = is_elsewhere & (calls.cache_read_tokens > 0)
    if moved_cached.any() and not done.cached.read_tokens[is_elsewhere].any():
        count = int(np.count_nonzero(moved_cached))
        said.append(
            Warning(
                "W206",
                f"{counted(count, 'moved call reads', 'moved calls read')} a prompt cache in the log; "
                "on the new model nothing is taken as cached",
            )
        )
    return (
        *said, *_cold_budgets(policy, done), *_tokens_over(done), *_overspent(done), *_dearer_below(done),
    )  # fmt: skip


def _unpriced(store: Store) -> str:
    """The models without a price, and why: a failed attempt without one leaves its call without a price, too."""
    rows = store.query(
        "SELECT coalesce(model, 'no model'), "
        "CASE price_status WHEN 'unpriced' THEN price_reason ELSE 'no token counts' END, count(*) AS many FROM request "
        "WHERE price_status IN ('unpriced', 'unknown_usage') AND is_aggregate IS NULL "
        "GROUP BY ALL ORDER BY many DESC, 1, 2"
    )
    named = [f"{model}: {reason}" for model, reason, _ in rows[:UNPRICED_SHOWN]]
    more = f"; and {counted(len(rows) - len(named), 'more')}" if len(rows) > len(named) else ""
    return f" ({'; '.join(named)}{more})" if named else ""


def _across_models(policy: Policy, done: Replay, outcome: project.Outcome) -> list[Warning]:
    """Hits that get what another model wrote than the one that their own route leads to, of each cache."""
    asked, wrote = done.lanes.take("model", done.routed.lane), outcome.serving_model
    said = []
    for title, server, key, parts in (
        ("exact", EXACT_CACHE, "cache.exact.scope", policy.cache.exact and policy.cache.exact.scope),
        ("semantic", SEMANTIC_CACHE, "cache.semantic.key", policy.cache.semantic and policy.cache.semantic.key),
    ):
        hits = np.flatnonzero(done.decisions.served_by == server)
        count = int(np.count_nonzero(asked[hits] != wrote[done.decisions.answered_by[hits]]))
        if count:
            whole = counted(len(hits), "hit")
            text = f"{count:,} of {whole} of the {title} cache get an answer of another model than they ask for"
            named = ", ".join((*(parts or ()), "model"))
            hint = f"one answer for each model that the log asks for: {key}: [{named}]"
            said.append(Warning("W217", text, "" if "model" in (parts or ()) else hint))
    return said


def _unsaid_reads(policy: Policy, done: Replay, outcome: project.Outcome) -> list[Warning]:
    """Calls that stay where they are, of which the log does not say what they read: `cache.prompt` is silent there."""
    if policy.cache.prompt is None:
        return []
    unsaid = outcome.is_served & ~done.cached.is_predicted & (done.calls.cache_read_tokens < 0) & done.calls.is_movable
    count = int(np.count_nonzero(unsaid))
    if not count:
        return []
    what = (
        f"{counted(count, 'call stays', 'calls stay')} on the logged model, and the log does not say what a prompt "
        "cache gave there: the price stays as logged, and cache.prompt changes nothing of it"
    )
    return [Warning("W279", what, "log the cached tokens that the provider reports, also where they are 0")]


def _tokens_over(done: Replay) -> list[Warning]:
    """Another tier takes the same tokens: going down a tier does not keep a cap on tokens."""
    made, budgets, said = done.decisions, done.plan.budgets, []
    for number, cap in enumerate(budgets.caps if budgets is not None and not budgets.is_filtering else ()):
        here = (made.cap == number) & (made.served_by == PROVIDER)
        if not cap.is_tokens or not here.any():
            continue
        tokens = done.lanes.take("input_tokens", made.entry_lane).clip(min=0)
        tokens = tokens + done.lanes.take("output_tokens", made.entry_lane)
        here &= made.cap_used + tokens > cap.limit
        count, over = int(np.count_nonzero(here)), exact_sum(tokens, here)
        if count:
            calls = counted(count, "call is", "calls are")
            what = f"{calls} served over {cap.title}, with {over:,} tokens: a lower tier takes the same tokens"
            said.append(Warning("W299", what, "budgets: {over: refuse} keeps the cap"))
    return said


def _dearer_below(done: Replay) -> list[Warning]:
    """Tiers stand cheapest first; where they do not, a budget makes calls dearer."""
    made = done.decisions
    asked, came = (done.lanes.take("cost_pusd", lane) for lane in (made.routed_lane, made.entry_lane))
    here = ((made.notice & DEGRADED) > 0) & (came > asked)
    count = int(np.count_nonzero(here))
    if not count:
        return []
    names = done.lanes.names
    ways = np.unique(np.stack([made.routed_lane[here], made.entry_lane[here]], axis=1), axis=0).tolist()
    told = ", ".join(f"{names[above]} to {names[below]}" for above, below in ways)
    more = usd_display(project.usd(exact_sum(came, here) - exact_sum(asked, here)))
    calls = counted(count, "call", "calls")
    what = f"a budget takes {calls} down to a dearer tier ({told}), which costs {more} more"
    return [Warning("W308", what, "tiers stand cheapest first: put them in that order")]


def _overspent(done: Replay) -> list[Warning]:
    """Caps are asked before a call; what its attempts come to beside that is paid all the same."""
    made = done.decisions
    if made.played is None or done.plan.budgets is None:
        return []
    spent, asked = made.played.cost_pusd, done.lanes.take("cost_pusd", made.entry_lane)
    is_dearer = (made.served_by == PROVIDER) & (spent > asked)
    here = ((made.notice & OVERSPENT) > 0) | (((made.notice & OVER_BUDGET) > 0) & is_dearer)
    count = int(np.count_nonzero(here))
    if not count:
        return []
    more = exact_sum(spent, here) - exact_sum(asked, here)
    later = made.notice & (FELL_BACK | ESCALATED)
    kinds = (
        ("escalated", (later & ESCALATED) > 0),
        ("fell back", later == FELL_BACK),
        ("tried more than once", later == 0),
    )
    causes = ", ".join(f"{int(np.count_nonzero(here & kind)):,} {word}" for word, kind in kinds if (here & kind).any())
    dearer = f"; that cost {usd_display(project.usd(more))} more than the caps were asked for" if more > 0 else ""
    calls = counted(count, "call goes", "calls go")
    what = f"{calls} over a cap by what follows once the caps were asked ({causes}){dearer}"
    return [Warning("W307", what, "gate it: over_budget_count <= 0; it counts them")]


def _cold_budgets(policy: Policy, done: Replay) -> list[Warning]:
    """Caps and prompt caches meet in the wrong order for a reader who does not know it."""
    broken = {done.caps[cap] for cap in np.unique(done.decisions.cap[done.decisions.cap >= 0]).tolist()}
    if policy.cache.prompt is None or not any(title.startswith("usd_per_day") for title in broken):
        return []
    said = "caps count what a call costs before the prompt caches, so days end below them"
    return [Warning("W270", said, "raise usd_per_day by the share that the caches save")]
