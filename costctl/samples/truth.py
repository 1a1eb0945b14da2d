"""What was planted in the story, in dollars: classes of the bill and cost jumps.

Every figure is computed here from what the generator meant, with exact decimals; nothing of the
audit takes part. A request is in the first class that applies; one without a price is in none.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from statistics import median
from typing import NamedTuple

from costctl.samples import cast, prices, story, texts
from costctl.samples.expected import Counts, yaml_lines
from costctl.samples.missed import missed
from costctl.samples.story import Attempt, Story

EXACT_TTL_MS = 24 * prices.HOUR_MS
LONG_CONTEXT_TOKENS = 32_000
CLASSES = (
    "failed_or_repeated_attempt", "exact_repeat", "prompt_cache_miss", "simple_on_premium", "could_wait",
    "long_context", "complex", "rest",
)  # fmt: skip
# What one user of the free plan may use in a day.
BUDGET_PROFILE, BUDGET_TOKENS_PER_DAY = "free", 60_000


class Share(NamedTuple):
    """One class of the bill; requests that cost nothing are not counted."""

    request_count: int
    list_cost_usd: Decimal


class Jump(NamedTuple):
    """One day on which the cost of a scope jumped, and why.

    `ordinary_cost_usd` is the median of the scope's days that the event did not touch.
    """

    on: str
    scope: str  # endpoint | user
    name: str
    cause: str  # volume | tokens_per_request | price | mix
    cost_usd: Decimal
    ordinary_cost_usd: Decimal
    event: str
    model: str | None = None  # the one that the event is about, where it is about one

    @property
    def extra_cost_usd(self) -> Decimal:
        """What the jump added."""
        return self.cost_usd - self.ordinary_cost_usd


@dataclass(frozen=True)
class StoryTruth:
    """Everything that is known of a story beforehand."""

    seed: int
    counts: Counts
    priced_count: int
    unpriced_count: int
    unbilled_count: int  # failures that cost nothing
    list_cost_usd: Decimal
    classes: dict[str, Share]
    missed_caching_usd: Decimal  # what prompt caching would have saved net
    jumps: tuple[Jump, ...]
    budget_breakers: tuple[str, ...]

    def yaml(self) -> str:
        """The truth as YAML; dollars are texts with 12 decimals."""
        return "\n".join(_yaml(self)) + "\n"


def truth_of(told: Story, seed: int, counts: Counts) -> StoryTruth:
    """Classes, jumps and budget breakers of a story."""
    rows = told.attempts
    priced = [row for row in rows if row.cost_usd]
    unpriced_count = sum(row.cost_usd is None for row in rows)
    found: dict[str, list[Decimal]] = {name: [] for name in CLASSES}
    names, missed_usd = _classes(rows)
    for row, name in zip(rows, names, strict=True):
        if name is not None and row.cost_usd:
            found[name].append(row.cost_usd)
    return StoryTruth(
        seed=seed, counts=counts, priced_count=len(priced), unpriced_count=unpriced_count,
        unbilled_count=len(rows) - len(priced) - unpriced_count,
        list_cost_usd=sum((row.cost_usd or Decimal(0) for row in priced), Decimal(0)),
        classes={name: Share(len(costs), sum(costs, Decimal(0))) for name, costs in found.items()},
        missed_caching_usd=missed_usd,
        jumps=tuple(_jumps(told)), budget_breakers=_breakers(rows),
    )  # fmt: skip


def _classes(rows: Sequence[Attempt]) -> tuple[list[str | None], Decimal]:
    """The class of each row, in order, and what prompt caching would have saved."""
    first = list(_first_classes(rows))
    found, missed_usd = missed(rows, [name is not None for name in first])
    names = [
        None if row.cost_usd is None else name or ("prompt_cache_miss" if place in found else _class(row))
        for place, (row, name) in enumerate(zip(rows, first, strict=True))
    ]
    return names, missed_usd


def _first_classes(rows: Sequence[Attempt]) -> Iterator[str | None]:
    """Failures and repeats; the exact cache is filled by successes and never renewed."""
    inserted: dict[tuple[str, str, str], int] = {}
    answered: set[int] = set()
    for row in rows:
        is_hit = is_second_success = False
        if row.status == "ok":
            key = (row.endpoint.app, row.model, row.messages)
            since = inserted.get(key)
            is_hit = since is not None and row.start_ms - since < EXACT_TTL_MS
            if not is_hit:
                inserted[key] = row.start_ms
            is_second_success = row.call in answered
            answered.add(row.call)
        is_failed = row.status != "ok" or is_second_success
        yield "failed_or_repeated_attempt" if is_failed else "exact_repeat" if is_hit else None


def _class(row: Attempt) -> str:
    tier = texts.TIER_OF[row.intent]
    if tier == "A" and row.model in prices.PREMIUM:
        return "simple_on_premium"
    if row.endpoint is cast.NIGHTLY:
        return "could_wait"
    if (row.input_tokens or 0) - (row.cached_tokens or 0) >= LONG_CONTEXT_TOKENS:
        return "long_context"
    return "complex" if tier == "C" else "rest"


def _jumps(told: Story) -> Iterator[Jump]:
    rows = told.attempts
    by_endpoint = _daily(rows, lambda row: row.endpoint.path)
    by_user = _daily(rows, lambda row: row.user.user_id)
    loop_user = str(told.loop_user.user_id)
    events = (
        (by_user[loop_user], "user", loop_user, "volume", (story.LOOP_DAY,), "an agent of one user runs in a loop"),
        (by_endpoint["/faq"], "endpoint", "/faq", "mix", story.SWITCH_DAYS,
        "gpt-4o-mini replaced by gpt-4o in silence"),
        (by_endpoint["/leads"], "endpoint", "/leads", "volume", (story.BURST_DAY,), "a campaign"),
        (by_endpoint["/extract"], "endpoint", "/extract", "tokens_per_request", story.PROMPT_DAYS,
        "a longer system prompt"),
        (by_endpoint["/recommend"], "endpoint", "/recommend", "price", story.PRICE_DAYS,
        "list price of mistral-medium-latest"),
    )  # fmt: skip
    for daily, scope, name, cause, days, event in events:
        ordinary = Decimal(median(daily[day] for day in range(story.DAYS) if day not in days))
        for day in days:
            model = prices.MISTRAL if cause == "price" else None
            yield Jump(day_on(day), scope, name, cause, daily[day], ordinary, event, model)


def _daily(rows: Iterable[Attempt], name_of: Callable[[Attempt], str | None]) -> dict[str | None, dict[int, Decimal]]:
    days: dict[str | None, dict[int, Decimal]] = defaultdict(lambda: dict.fromkeys(range(story.DAYS), Decimal(0)))
    for row in rows:
        if row.cost_usd is not None:
            days[name_of(row)][row.start_ms // prices.DAY_MS] += row.cost_usd
    return days


def _breakers(rows: Iterable[Attempt]) -> tuple[str, ...]:
    """Users of the plan who pass the budget on at least one day."""
    used: Counter[tuple[str, int]] = Counter()
    for row in rows:
        if row.user.profile == BUDGET_PROFILE:
            day = row.start_ms // prices.DAY_MS
            used[str(row.user.user_id), day] += (row.input_tokens or 0) + (row.output_tokens or 0)
    return tuple(sorted({user for (user, _), tokens in used.items() if tokens > BUDGET_TOKENS_PER_DAY}))


def day_on(day: int) -> str:
    """The date of a day of the story, counted from 0."""
    return (date.fromisoformat(prices.START_ON) + timedelta(days=day)).isoformat()


def _usd(value: Decimal) -> str:
    return f'"{value:.12f}"'


def _yaml(truth: StoryTruth) -> Iterator[str]:
    yield "# What was planted in story.jsonl.gz; made by `python -m costctl.samples`, not by an audit."
    yield f"seed: {truth.seed}"
    yield f"first_on: {prices.START_ON}"
    yield f"days: {story.DAYS}"
    yield from yaml_lines("counts", truth.counts.as_dict() | {
        "priced_count": truth.priced_count, "unpriced_count": truth.unpriced_count,
        "unbilled_count": truth.unbilled_count,
    })  # fmt: skip
    yield f"list_cost_usd: {_usd(truth.list_cost_usd)}"
    yield "# Exclusive, the first that applies; requests that cost nothing are not counted here."
    yield "anatomy:"
    for name, share in truth.classes.items():
        yield f"  {name}: {{request_count: {share.request_count}, list_cost_usd: {_usd(share.list_cost_usd)}}}"
    yield "not_planted: [near_repeat]"
    yield "# What prompt caching would have saved, reads less the price of writes."
    yield f"missed_caching_usd: {_usd(truth.missed_caching_usd)}"
    yield "# ordinary_cost_usd: median of the scope's days that the event did not touch."
    yield "jumps:"
    for jump in truth.jumps:
        yield f"  - date: {jump.on}"
        yield f"    scope: {jump.scope}"
        yield f"    name: {jump.name}"
        yield f"    cause: {jump.cause}"
        yield f"    event: {jump.event}"
        if jump.model:
            yield f"    model: {jump.model}"
        yield f"    cost_usd: {_usd(jump.cost_usd)}"
        yield f"    ordinary_cost_usd: {_usd(jump.ordinary_cost_usd)}"
        yield f"    extra_cost_usd: {_usd(jump.extra_cost_usd)}"
    yield "token_budget:"
    yield f"  user_profile: {BUDGET_PROFILE}"
    yield f"  tokens_per_user_and_day: {BUDGET_TOKENS_PER_DAY}"
    yield f"  broken_by: [{', '.join(truth.budget_breakers)}]"
    yield "# USD per million tokens: uncached input, cached input, output."
    yield "prices:"
    for model, price in prices.PRICES.items():
        yield f"  {model}: [{_price(price)}]"
    yield f"  {prices.MISTRAL} from {day_on(prices.PRICE_CHANGE_MS // prices.DAY_MS)}: [{_price(prices.MISTRAL_AFTER)}]"
    yield f"  {prices.UNKNOWN}: null"


def _price(price: prices.Price) -> str:
    return ", ".join(f'"{value}"' for value in price)
