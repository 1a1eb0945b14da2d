"""What a policy adds around a call: work on its input, look-ups for its facts, work on its answer.

None of it depends on the lane's price, so it is counted once the decisions are made: money and time for
each call, beside what its lane costs. Budgets are charged the lane alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from costctl.policy.schema import LOGGED, Policy, Tier
from costctl.policy.stages import Compression, DataSource, SelfHosted
from costctl.prices.book import PriceBook
from costctl.replay.calls import UNKNOWN, Calls, Flag, Int, constant, exact_sum, fetch
from costctl.replay.candidates import Candidate, PriceDays, priced_rows
from costctl.replay.capacity import service_us, token_pusd
from costctl.replay.chains import logged_attempts
from costctl.replay.conditions import COLUMN_OF
from costctl.replay.draws import uniform
from costctl.replay.empirical import Empirical
from costctl.replay.engine import Decisions
from costctl.replay.lanes import Lanes
from costctl.replay.latency import Latency
from costctl.replay.outputs import asking
from costctl.replay.plan import PROVIDER
from costctl.replay.sent import Sent
from costctl.replay.validation import broken_answers
from costctl.store import Store

NOBODY = -1  # of the source that had a call's facts: none was asked
TITLES = {
    "data_sources": "data sources", "post_process": "work on answers", "self_hosted": "self-hosted capacity",
}  # fmt: skip


class Extra(NamedTuple):
    """One kind of work beside the calls; `stage` is the row of the waterfall that it counts in."""

    stage: str
    name: str
    model: str | None  # where it is a call of its own
    is_done: Flag
    tokens: Int  # that it reads; 0 where it reads none
    pusd: Int
    latency_us: Int  # UNKNOWN where the log does not show how long the model takes
    paid_pusd: Mapping[str, int]  # to whom the sum of it goes: price keys of models, else the work itself
    found: Flag | None = None  # of a data source: it had the facts
    written: Int | None = None  # by an engine of one's own: its work


@dataclass(frozen=True)
class Extras:
    """All work beside the calls; money and time per call."""

    items: tuple[Extra, ...]
    pusd: Int
    found_in: Int  # the data source that had the facts, as many as there are: none had them, NOBODY: none asked
    source_names: tuple[str, ...]
    is_batched: Flag
    unpriced_count: int  # calls of their own that have no price at their time
    uncovered: tuple[str, ...]  # models of such calls whose latency neither log nor prior says
    unread_count: int = 0  # answers to be checked of which the log has no text
    assumed: tuple[str, ...] = ()  # models of such calls whose latency only a prior says
    idle_pusd: Mapping[str, Int] = field(default_factory=dict)  # by engine without any work: its hours, over all calls

    @property
    def own_stages(self) -> list[str]:
        """The rows of the waterfall that hold nothing else."""
        named = [one.stage for one in self.items]
        return [stage for stage in TITLES if stage in named]

    def of_stage(self, stage: str) -> Int:
        """What one row of the waterfall holds of it, per call."""
        return sum((one.pusd for one in self.items if one.stage == stage), np.zeros_like(self.pusd))


def extras_of(
    store: Store, policy: Policy, book: PriceBook, calls: Calls, lanes: Lanes, decisions: Decisions, sent: Sent | None,
    candidates: dict[str, Candidate], days: PriceDays, seed: int,
) -> Extras:  # fmt: skip
    """What the policy adds to the calls that went to a tier or a specialist."""
    is_answered = (decisions.served_by == PROVIDER) & (decisions.lane != lanes.logged) & calls.is_movable
    is_tried = (decisions.entry_lane != lanes.logged) & calls.is_movable & decisions.is_asked
    caller = _Caller(store, policy, book, calls, lanes, candidates, days, seed)
    items: list[Extra] = []
    if sent is not None and sent.summarised_tokens.any() and policy.context and policy.context.summariser:
        tier, rows = policy.context.summariser, is_tried & (sent.summarised_tokens > 0)
        items.append(caller.call("history", "summariser", tier, rows, sent.summarised_tokens, sent.summary_tokens))
    if sent is not None and policy.compression is not None:
        items.append(_compressor(policy.compression, is_tried & (sent.compressed_tokens > 0), sent.compressed_tokens))
    unread_count = 0
    found_in = constant(NOBODY, calls.count)
    if policy.data_sources:
        wanted = is_tried & fetch(store, f"coalesce({COLUMN_OF['external_facts']}, false) AS needs")["needs"]
        asked, found_in = _asked(policy.data_sources, calls, wanted, seed)
        items += asked
    if policy.post_process is not None:
        tokens = np.where(is_answered, lanes.take("output_tokens", decisions.lane), 0)
        for name, spec in (("reformat", policy.post_process.reformat), ("translate", policy.post_process.translate)):
            if spec is not None:
                rows = is_answered & (tokens > 0) & asking(store, spec.when)
                items.append(caller.call("post_process", name, spec.tier, rows, tokens, tokens))
        if policy.post_process.validation is not None and is_answered.any():
            cheap = policy.post_process.reformat.tier if policy.post_process.reformat else policy.tiers[0].name
            broken, known = broken_answers(store, calls.count)
            unread_count = int(np.count_nonzero(is_answered & (tokens > 0) & ~known))
            rows = is_answered & (tokens > 0) & broken
            items.append(caller.call("post_process", "validate", cheap, rows, tokens, tokens))
    return Extras(
        tuple(items), sum((one.pusd for one in items), constant(0, calls.count)), found_in,
        tuple(one.name for one in policy.data_sources), lanes.is_batched(decisions.lane) & is_answered,
        caller.unpriced_count, tuple(sorted(caller.uncovered)), unread_count, tuple(sorted(caller.assumed)),
    )  # fmt: skip


def with_extras(latency: Latency, extras: Extras) -> Latency:
    """The latencies with the time that the extra work takes; a call that waits for a batch has none that is known."""
    if not extras.items and not extras.is_batched.any():
        return latency
    total = latency.policy_us.copy()
    for one in extras.items:
        took = one.is_done & (total >= 0)
        total[took] = np.where(one.latency_us[took] < 0, UNKNOWN, total[took] + one.latency_us[took])
    total[extras.is_batched] = UNKNOWN
    uncovered = tuple(dict.fromkeys((*latency.uncovered, *extras.uncovered)))
    assumed = tuple(dict.fromkeys((*latency.assumed, *extras.assumed)))
    return Latency(total, latency.is_drawn & ~extras.is_batched, uncovered, assumed)


def per_tokens(tokens: Int, price: Fraction) -> Int:
    """Tokens times a price of one token, halves rounded up."""
    over, under = price.as_integer_ratio()
    return (2 * tokens * over + under) // (2 * under)


def _compressor(spec: Compression, rows: Flag, tokens: Int) -> Extra:
    """Its own price and time for the tokens that it reads."""
    read = np.where(rows, tokens, 0)
    pusd = per_tokens(read, Fraction(spec.usd_per_million_tokens) * 10**6)
    took = per_tokens(read, Fraction(spec.us_per_1k_tokens, 1000))
    paid = {"compressor": exact_sum(pusd)}
    return Extra("compression", "compressor", None, rows, read, pusd, took, paid)


def _asked(sources: tuple[DataSource, ...], calls: Calls, wanted: Flag, seed: int) -> tuple[list[Extra], Int]:
    """Each source in order: asked where the ones before it had nothing; what it has is drawn by call and source."""
    items, open_ = [], wanted.copy()
    nothing = np.zeros(calls.count, dtype=np.int64)
    found_in = np.where(wanted, len(sources), NOBODY)
    for number, one in enumerate(sources):
        asked = open_.copy()
        found = asked & (uniform(seed, calls.draw_key, f"data source {one.name}") < float(one.hit_ratio))
        pusd = asked * int((one.usd_per_call * 10**12).to_integral_value(ROUND_HALF_UP))
        paid = {f"{one.name} (data source)": exact_sum(pusd)}
        items.append(
            Extra("data_sources", one.name, None, asked, nothing, pusd, asked * one.latency_us, paid, found)
        )  # fmt: skip
        found_in[found] = number
        open_ &= ~found
    return items, found_in


def _by_engine(stage: str, name: str, engine: SelfHosted, rows: Flag, read: Int, written: Int) -> Extra:
    """Work for an engine of one's own, at the price of full load; its hours and its queue come later."""
    pusd, took = written * token_pusd(engine), service_us(engine, written)
    paid = {engine.name: exact_sum(pusd)}
    return Extra(stage, name, engine.name, rows, read, pusd, took, paid, written=written)


class _Caller:
    """Makes calls of their own to the first model of a tier."""

    def __init__(
        self, store: Store, policy: Policy, book: PriceBook, calls: Calls, lanes: Lanes,
        candidates: dict[str, Candidate], days: PriceDays, seed: int,
    ) -> None:  # fmt: skip
        self._store, self._book, self._calls, self._lanes = store, book, calls, lanes
        self._days, self._seed, self._candidates = days, seed, candidates
        self._specs: dict[str, Tier] = {one.name: one for one in (*policy.tiers, *policy.specialists)}
        self._log: Empirical | None = None
        self.unpriced_count = 0
        self.uncovered: set[str] = set()
        self.assumed: set[str] = set()

    def call(self, stage: str, name: str, tier: str, rows: Flag, read: Int, written: Int) -> Extra:
        """One more call beside each of these: what it reads and writes, costs, and takes."""
        said = self._specs[tier].models[0]
        engine = None if said == LOGGED else self._candidates[said].engine
        if engine is not None:
            return _by_engine(stage, name, engine, rows, np.where(rows, read, 0), np.where(rows, written, 0))
        models = self._lanes.models
        if said == LOGGED:
            model = np.where(rows, self._calls.model, UNKNOWN)
        else:
            model = np.where(rows, models.index(self._candidates[said].price_key), UNKNOWN)
        pusd, is_priced = np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows), dtype=np.bool_)
        paid: dict[str, int] = {}
        for code in np.unique(model[rows]).tolist():
            here = model == code
            columns = {
                "position": np.flatnonzero(here), "input_tokens": read[here], "output_tokens": written[here],
            }  # fmt: skip
            of = models[code] if said == LOGGED else said
            found = priced_rows(self._store, self._book, self._calls, self._days, of, columns)
            pusd, is_priced = pusd + found.cost_pusd, is_priced | (found.is_priced & here)
            paid[models[code]] = exact_sum(found.cost_pusd)
        self.unpriced_count += int(np.count_nonzero(rows & ~is_priced))
        return Extra(stage, name, said, rows, np.where(rows, read, 0), pusd, self._latency(name, model), paid)

    def _latency(self, name: str, model: Int) -> Int:
        """That of one logged answer of the model in the same hour (else day, log), drawn by call and seed."""
        rows = np.flatnonzero(model >= 0)
        took = np.zeros(len(model), dtype=np.int64)
        if not len(rows):
            return took
        if self._log is None:
            self._log = logged_attempts(self._store, self._lanes, are_answers=True)
        u = uniform(self._seed, self._calls.draw_key[rows], f"latency {name}")
        took[rows], _ = self._log.sample(model[rows], self._calls.time_us[rows], u)
        missing = np.unique(model[rows][took[rows] < 0]).tolist()
        self.uncovered |= {self._lanes.models[code] for code in missing}
        self.assumed |= {self._lanes.models[code] for code in np.unique(model[rows])} & self._lanes.priors.keys()
        return took
