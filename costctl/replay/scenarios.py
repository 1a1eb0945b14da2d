"""The same log under stress: more volume, other prices. Replays of their own that touch no main figure.

Each scenario is one entry of SCENARIOS: a name, what it does, and the replay under it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from costctl.money import usd_display
from costctl.policy.results import Scenarios
from costctl.prices.book import PriceBook
from costctl.prices.cost import priced_query
from costctl.replay.again import Main, outcome_of, ratio_of, spent_pusd, unanswered
from costctl.replay.attempts_told import attempt_totals
from costctl.replay.calls import exact_sum, load_calls
from costctl.replay.candidates import PriceDays
from costctl.replay.denser import denser
from costctl.replay.latency_told import policy_p95_ms
from costctl.replay.notes import Replay
from costctl.replay.plan import DEGRADED, OVER_BUDGET, REFUSED
from costctl.replay.project import usd
from costctl.report import Table, Value, counted
from costctl.store import Store

COLUMNS = (
    "scenario", "call_count", "baseline_cost_usd", "policy_cost_usd", "saving_usd", "saving_ratio", "cache_hit_ratio",
    "degraded_count", "over_budget_count", "refused_count", "failed_count", "unanswered_count", "unanswered_saving_usd",
    "latency_ms_p95", "what",
)  # fmt: skip
# What the price join adds to an attempt.
PRICED = (
    "price_key", "price_how", "price_reason", "price_status", "input_cost_usd", "cache_read_cost_usd",
    "cache_write_cost_usd", "output_cost_usd", "reasoning_cost_usd", "fee_cost_usd", "list_cost_usd",
    "failed_list_cost_usd", "is_price_assumed",
)  # fmt: skip


class Stress(NamedTuple):
    """One scenario as it went."""

    name: str
    what: str
    done: Replay


def scenarios(main: Main, wanted: Scenarios) -> Table:
    """A row for the log as it is, then one for each scenario."""
    told = [one for scenario in SCENARIOS if (one := scenario(main, wanted)) is not None]
    rows = [_row(main, one) for one in (Stress("as logged", "", main.done), *told)]
    return Table.of("scenarios", COLUMNS, rows)


def more_volume(main: Main, wanted: Scenarios) -> Stress | None:
    """The log `volume_ratio` times as dense."""
    ratio = wanted.volume_ratio
    if ratio is None:
        return None
    with denser(main.store, main.done.calls, main.known, ratio, main.seed) as (calls, known):
        done = main.replayed(calls, main.policy, main.book, known)
    whole, part = divmod(ratio, 1)
    times = "" if whole == 1 else f"each call {whole} times" if whole > 2 else "each call twice"
    more = f"{part.normalize():%} of the calls, drawn, once more" if part else ""
    said = " and ".join(text for text in (times, more) if text) or "each call once"
    what = f"{said}, at its time: a new question of the same user, so that caches gain nothing"
    return Stress(f"volume x {_plain(ratio)}", what, done)


def other_prices(main: Main, wanted: Scenarios) -> Stress | None:
    """Some models dearer or cheaper, in the log and in the policy alike."""
    if not wanted.price_ratio:
        return None
    ratios = _by_key(main.book, wanted.price_ratio)
    book = main.book.scaled(ratios)
    with _priced_at(main.store, book, main.days):
        done = main.replayed(load_calls(main.store), main.policy, book, {})
    load_calls(main.store)  # back to the log at its own prices
    what = ", ".join(f"{key} x {_plain(ratio)}" for key, ratio in sorted(ratios.items()))
    return Stress("other prices", what, done)


def an_outage(main: Main, wanted: Scenarios) -> Stress | None:
    """A provider answers nothing for a while: every try fails at once, also of calls left as logged.

    Calls that it does not meet are those of the main replay, so the row stands beside that of the log as it is.
    """
    outage = wanted.outage
    if outage is None:
        return None
    calls = main.done.calls
    done = main.replayed(calls, main.policy, main.book, main.known, outage)
    start_us = int(outage.from_at.timestamp()) * 10**6
    is_then = (calls.time_us >= start_us) & (calls.time_us < start_us + outage.duration_us) & calls.is_dated
    made, lanes = main.done.decisions, main.done.lanes
    is_hit = np.array([name.startswith(f"{outage.provider}/") for name in (*lanes.models, "")])
    asked = is_then & np.array([name.startswith(f"{outage.provider}/") for name in (*calls.models, "")])[calls.model]
    # An engine of one's own always answers, whatever its name begins with.
    goes = is_hit[lanes.take("model", made.entry_lane)] & (lanes.take("service_us", made.entry_lane) < 0)
    gone = int(np.count_nonzero(is_then & made.is_asked & goes))
    what = (
        f"every try fails at once; {counted(int(np.count_nonzero(asked)), 'logged call', 'logged calls')} went there "
    )
    what += f"in that time, {gone:,} of the policy's"
    if not is_then.any():
        what = "no call of the log is in that time, so nothing happens"
    lost_count, kept = unanswered(outcome_of(done))
    if lost_count:
        without = f"{counted(lost_count, 'call', 'calls')} without an answer that had one in the log"
        what += f"; {usd_display(usd(kept))} of the saving is of {without}"
    engines = {one.name for one in main.policy.self_hosted}
    if not any(name.startswith(f"{outage.provider}/") for name in lanes.models if name not in engines):
        what += "; no model of the log or the policy is of that provider"
    return Stress(f"outage of {outage.provider}", what, done)


SCENARIOS: tuple[Callable[[Main, Scenarios], Stress | None], ...] = (
    more_volume, other_prices, an_outage,
)  # fmt: skip


def _plain(ratio: Decimal) -> str:
    return f"{ratio.normalize():f}"


def _by_key(book: PriceBook, ratios: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """By price key; each name has one of its own, else the policy is refused when it is read (E401)."""
    found = {key: ratio for name, ratio in ratios.items() if (key := book.resolve(name).model_key) is not None}
    assert len(found) == len(ratios), "a policy that was read without prices"
    return found


@contextmanager
def _priced_at(store: Store, book: PriceBook, days: PriceDays) -> Iterator[None]:
    """While it lasts, `request` shows the attempts at the prices of another book."""
    database = str(store.scalar("SELECT current_database()")).replace('"', '""')
    own = f'"{database}".main.request'
    store.execute(f"CREATE OR REPLACE TEMP VIEW stressed_source AS SELECT * EXCLUDE ({', '.join(PRICED)}) FROM {own}")
    sql, params = priced_query(
        store, source="stressed_source", book=book, priced_at=days.priced_at, as_of=days.as_of
    )  # fmt: skip
    names = ", ".join(PRICED)
    store.execute(f"CREATE OR REPLACE TEMP TABLE stressed AS SELECT file_id, source_line, {names} FROM ({sql})", params)
    others = ", ".join(f"s.{name} AS {name}" for name in PRICED)
    store.execute(
        f"CREATE OR REPLACE TEMP VIEW request AS SELECT r.* REPLACE ({others}) FROM {own} r "
        "JOIN stressed s ON s.file_id = r.file_id AND s.source_line = r.source_line"
    )
    try:
        yield
    finally:
        store.execute("DROP VIEW temp.main.request")


def _row(main: Main, stress: Stress) -> tuple[Value, ...]:
    done, outcome = stress.done, outcome_of(stress.done)
    made, count = done.decisions, max(done.calls.count, 1)
    baseline, spent = exact_sum(done.calls.baseline_pusd), spent_pusd(outcome)
    hits = int(np.count_nonzero(made.is_cached)) / count if main.knows_hits else None
    lost_count, kept = unanswered(outcome)
    return (
        stress.name, done.calls.count, usd(baseline), usd(spent), usd(baseline - spent),
        ratio_of(baseline - spent, baseline), hits, int(np.count_nonzero(made.notice & DEGRADED)),
        int(np.count_nonzero(made.notice & OVER_BUDGET)), int(np.count_nonzero(made.served_by == REFUSED)),
        attempt_totals(done)["policy_failed_count"], lost_count, usd(kept), policy_p95_ms(done), stress.what,
    )  # fmt: skip
