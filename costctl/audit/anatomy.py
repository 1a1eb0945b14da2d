"""The anatomy of the bill: exclusive classes that sum to the total, each with its lever."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from costctl.audit import pages
from costctl.audit.totals import NO_TIMES, share
from costctl.formats.sources import Reader
from costctl.money import USD_QUANTUM, usd_display
from costctl.prices.book import PriceBook, Rate, instant_utc
from costctl.report import Table, counted
from costctl.store import Store

if TYPE_CHECKING:
    from costctl.audit.near_repeats import NearRepeats
    from costctl.audit.prompt_cache import Missed

EXACT_TTL_US = 24 * 3600 * 1_000_000
NO_PROMPTS = "not computed: no prompt in the log"
LONG_CONTEXT_TOKENS = 32_000
# Blended list price, three parts input to one part output, USD per million tokens.
CLASS_B_FROM_USD, CLASS_C_FROM_USD = Decimal("0.6"), Decimal(3)
BATCH_SHARE = Decimal("0.5")
COLUMNS = (
    "class", "title", "request_count", "list_cost_usd", "share_ratio", "recoverable_usd", "lever", "published", "note",
)  # fmt: skip


class BillClass(NamedTuple):
    """One class, in the order in which a request is tried; `claimed` is somebody's published band."""

    name: str
    title: str
    lever: str
    claimed: str = ""


# As in the SQL of the classes: `r` is the request, `c` its place among the attempts of its call.
IS_FAILED_OR_REPEATED = (
    "r.list_cost_usd > 0 AND (r.status IN ('error', 'cancelled') OR coalesce(c.is_repeated_success, false))"
)
MISSED_CLASS = "WHEN x.source_line IS NOT NULL THEN 'prompt_cache_miss'"
MISSED_JOIN = "LEFT JOIN missed_cache x USING (file_id, source_line)"
CLASSES = (
    BillClass("failed_or_repeated_attempt", "failed, retried, doubled calls", "retry and fallback policy"),
    BillClass("exact_repeat", "exact repeats within 24 h", "exact cache", claimed="claim: 15-25 %"),
    BillClass("near_repeat", "near repeats", "semantic cache"),
    BillClass("prompt_cache_miss", "repeated, uncached context", "provider prompt caching"),
    BillClass("long_context", "long context, 32k tokens up", "context window, compression"),
    BillClass("simple_on_premium", "simple, on a premium model", "routing", claimed="claim: 35-45 % with caching"),
    BillClass("could_wait", "traffic that could wait", "batch API", claimed="list: 50 %"),
    BillClass("complex", "complex requests", "only partly reducible"),
    BillClass("rest", "the rest", ""),
)


class Prompts(NamedTuple):
    """How many requests have a prompt and a time (a date or an offset), a prompt alone, and how many there are."""

    dated: int
    undated: int
    requests: int

    @property
    def why_unknown(self) -> str:
        """Why no repeat can be found, which is no finding of zero repeats; empty where one can."""
        if self.dated or not self.requests:
            return ""
        return NO_TIMES if self.undated else NO_PROMPTS


PROMPTS = (
    "SELECT count(prompt_key) FILTER (time_us IS NOT NULL), count(prompt_key) FILTER (time_us IS NULL), count(*) "
    "FROM (SELECT prompt_key, coalesce(epoch_us(started_at), replay_offset_ms * 1000) AS time_us FROM request)"
)


def anatomy(
    store: Store, book: PriceBook, *, priced_at: datetime | None = None, as_of: datetime | None = None,
    reader: Reader | None = None,
) -> Table:  # fmt: skip
    """The waterfall; makes the tables `repeat_hit`, `model_class` and `anatomy_row` on its way.

    With a `reader` the log's texts are read again for the near repeats.
    `priced_at` and `as_of`: the days at which the log was priced, as in `apply_prices`.
    """
    # Arrays are not needed before this: their imports would hold up the workers that read.
    from costctl.audit.near_repeats import near_repeats  # noqa: PLC0415
    from costctl.audit.prompt_cache import missed_caching  # noqa: PLC0415

    _repeats(store)
    near = near_repeats(store, reader, IS_FAILED_OR_REPEATED)
    missed = missed_caching(store, book, IS_FAILED_OR_REPEATED, priced_at, as_of)
    cheap = _model_classes(store, book)
    store.execute(
        pages.page(
            "anatomy.sql",
            is_failed_or_repeated=IS_FAILED_OR_REPEATED,
            missed_class=MISSED_CLASS if missed.has_requests else "",
            missed_join=MISSED_JOIN if missed.has_requests else "",
        ),
        {
            "long_context_tokens": LONG_CONTEXT_TOKENS,
            "cheap_input": cheap.prices["input"] if cheap else None,
            "cheap_cache_read": cheap.prices["cache_read"] if cheap else None,
            "cheap_output": cheap.prices["output"] if cheap else None,
        },
    )
    sums = {row[0]: row[1:] for row in store.query(pages.page("anatomy_sums.sql"))}
    total = sum((row[1] for row in sums.values()), Decimal(0))
    prompts = Prompts(*store.query(PROMPTS)[0])
    rows = [_row(item, sums.get(item.name), total, cheap, missed, near, prompts) for item in CLASSES]
    return Table.of("anatomy", COLUMNS, rows)


def _row(
    item: BillClass, found: tuple[Any, ...] | None, total: Decimal, cheap: Rate | None, missed: Missed,
    near: NearRepeats, prompts: Prompts,
) -> tuple[Any, ...]:  # fmt: skip
    if item.name == "near_repeat" and not near.is_computed:
        return item.name, item.title, None, None, None, None, item.lever, item.claimed, near.note
    if item.name == "prompt_cache_miss" and missed.recoverable_usd is None:
        return item.name, item.title, None, None, None, None, item.lever, item.claimed, missed.note
    if item.name == "exact_repeat" and prompts.why_unknown:
        return item.name, item.title, None, None, None, None, item.lever, item.claimed, prompts.why_unknown
    count, cost, routed, later = found or (0, Decimal(0), None, 0)
    recoverable, note = _recoverable(item.name, count, cost, routed, later, cheap)
    if item.name == "prompt_cache_miss":
        recoverable, note = missed.recoverable_usd, missed.note
    if item.name == "near_repeat":
        recoverable, note = _rightly_served(cost, near)
    if item.name == "exact_repeat" and prompts.undated:
        note = f"{note}; {counted(prompts.undated, 'request')} without a time not compared"
    return item.name, item.title, count, cost, share(cost, total), recoverable, item.lever, item.claimed, note


def _rightly_served(cost: Decimal, near: NearRepeats) -> tuple[Decimal, str]:
    """What right answers of a semantic cache would have saved, with the interval of the wrong ones."""
    if near.wrong is None or near.wrong.estimate is None:
        return cost, near.note

    def right(wrong: float) -> Decimal:
        return (cost * (1 - Decimal(repr(wrong)))).quantize(USD_QUANTUM)

    low, high = usd_display(right(near.wrong.high)), usd_display(right(near.wrong.low))
    wrongly = f"{near.wrong.estimate:.1%} of the hits would be wrong answers"
    return right(near.wrong.estimate), f"{low} to {high}: {wrongly}; {near.note}"


def _recoverable(
    name: str, count: int, cost: Decimal, routed: Decimal | None, later: int, cheap: Rate | None
) -> tuple[Decimal | None, str]:
    """How much the lever could have saved at most, and how that is to be read."""
    if name == "failed_or_repeated_attempt":
        return cost, "all of it, at most"
    if name == "exact_repeat":
        unsafe = (
            f"{later:,} of {count:,} repeat inside a conversation whose history is not in the log: "
            "may not be safe to serve"
        )
        return cost, unsafe if later else "all of it, at most"
    if name == "simple_on_premium" and cheap:
        return routed or Decimal(0), f"the same tokens on {cheap.model_key}, at most; no evidence on quality"
    if name == "simple_on_premium":
        return None, "no cheap model in this log to compare with"
    if name == "could_wait":
        return cost * BATCH_SHARE, "at half price, as batch APIs charge"
    return None, ""


def _repeats(store: Store) -> None:
    """Which successful requests repeat an answered one: same app, model and prompt, within 24 h."""
    from costctl.reuse.exact import exact_hits  # noqa: PLC0415  (as in `anatomy`)

    store.execute("CREATE OR REPLACE TEMP TABLE repeat_place (file_id INTEGER, source_line BIGINT)")
    found = store.numpy(pages.page("repeat_candidates.sql"))
    is_hit = exact_hits(found["key"], found["time_us"], EXACT_TTL_US) >= 0
    store.append("repeat_place", {name: found[name][is_hit] for name in ("file_id", "source_line")})
    pages.run(store, "repeat_hits.sql")


def _model_classes(store: Store, book: PriceBook) -> Rate | None:
    """Class each model of the log by its blended list price; returns the cheapest of class A."""
    store.execute(
        "CREATE OR REPLACE TABLE model_class (price_key VARCHAR, price_class VARCHAR, blended_usd DECIMAL(18,6))"
    )
    rows: list[tuple[str, str, Decimal]] = []
    rates: dict[str, Rate] = {}
    for (key,) in store.query("SELECT DISTINCT price_key FROM request WHERE price_key IS NOT NULL ORDER BY 1"):
        rate = book.rate_at(key, instant_utc(book.dated))
        if rate is None:
            continue
        if rate.prices["output"]:  # what writes nothing, as an embedding model, cannot answer in another's place
            rates[key] = rate
        blended = ((3 * rate.prices["input"] + rate.prices["output"]) / 4).quantize(Decimal("0.000001"))
        rows.append((key, "A" if blended < CLASS_B_FROM_USD else "B" if blended < CLASS_C_FROM_USD else "C", blended))
    store.insert("model_class", ["price_key", "price_class", "blended_usd"], rows)
    cheap = sorted((blended, key) for key, price_class, blended in rows if price_class == "A" and key in rates)
    return rates[cheap[0][1]] if cheap else None
