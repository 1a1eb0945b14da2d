"""The story: a week of a bilingual support and travel assistant, with its planted events.

Thursday 14:00 to 14:45 one provider is down and calls fall back; Friday one user's agent runs
in a loop; Saturday and Sunday the help centre runs on the wrong model; Monday a campaign floods
the sales desk; from Tuesday a new prompt makes the back office dear and a list price rises.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random

from costctl.samples import cast, texts
from costctl.samples.cast import Endpoint, Session, User
from costctl.samples.prices import DAY_MS, GPT_4O, HOUR_MS, MINUTE_MS, PROVIDER_OF, SONNET, UNKNOWN, list_cost_usd

DAYS = 7
OUTAGE_MS = (14 * HOUR_MS, 14 * HOUR_MS + 45 * MINUTE_MS)  # Thursday
LOOP_DAY, LOOP_CALLS_PER_DECK, LOOP_WITHIN_MS = 1, 48, 3 * HOUR_MS
SWITCH_DAYS = (2, 3)
BURST_DAY, BURST_FACTOR = 4, 5
PROMPT_DAYS = (5, 6)
PRICE_DAYS = (5, 6)
LEFT_OUT_RATIO = DOUBLED_RATIO = 0.02
# Shares of calls that go wrong outside the outage.
UNBILLED_RETRY_RATIO, BILLED_RETRY_RATIO, CANCELLED_RATIO, DOUBLE_SEND_RATIO = 0.012, 0.012, 0.01, 0.007
CACHE_BLOCK_TOKENS, CACHE_FROM_TOKENS = 128, 1024  # OpenAI and Anthropic cache prefixes from 1,024 tokens on
CACHING_PROVIDERS = frozenset({"openai", "anthropic"})


@dataclass(slots=True)
class Attempt:
    """One row of the log, and what only the generator knows: intent and list cost."""

    start_ms: int
    call: int
    attempt: int
    session: int
    turn: int
    endpoint: Endpoint
    user: User
    model: str
    intent: str
    messages: str  # JSON text
    input_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    latency_ms: int
    first_token_ms: int | None
    status: str = "ok"
    http_status: int = 200
    error_type: str | None = None
    is_fallback: bool = False
    claimed_tier: str | None = None
    request_id: str = ""
    cost_usd: Decimal | None = None

    def price(self) -> None:
        """Set the list cost: 0 for a failure that produced nothing, None for an unknown model."""
        if self.output_tokens is None or self.input_tokens is None:
            self.cost_usd = Decimal(0)
            return
        cached = self.cached_tokens or 0
        self.cost_usd = list_cost_usd(self.model, self.start_ms, self.input_tokens - cached, cached, self.output_tokens)


class Story:
    """Draws the week; `attempts` come in time order with their ids."""

    def __init__(self, requests: int, seed: int) -> None:
        self._rng = Random(seed)  # noqa: S311  (a story wants to be repeatable, not secret)
        self.users = cast.users_of(requests)
        self._deck = cast.deck_of(self._rng, requests, self.users)
        self._loop_calls = max(10, round(LOOP_CALLS_PER_DECK * requests / cast.REQUESTS_PER_DECK))
        self._calls = self._sessions = 0
        # The user of the loop must be an ordinary one.
        self.loop_user = next(user for user in reversed(self.users) if user.profile == "pro")
        self.attempts = sorted(self._week(), key=lambda row: (row.start_ms, row.call, row.attempt))
        for number, row in enumerate(self.attempts, 1):
            row.request_id = f"req-{number:06d}"
            row.price()

    def _week(self) -> Iterator[Attempt]:
        for day in range(DAYS):
            for session in self._deck:
                draw = self._rng.random()
                if draw < LEFT_OUT_RATIO:
                    continue
                for _ in range(2 if draw > 1 - DOUBLED_RATIO else 1):
                    yield from self._talk(self._as_on(session, day), self._start(session, day))
            if day == LOOP_DAY:
                yield from self._loop(day)
            if day == BURST_DAY:
                yield from self._burst(day)

    def _as_on(self, session: Session, day: int) -> Session:
        if session.endpoint is cast.FAQ and day in SWITCH_DAYS:
            return session._replace(model=GPT_4O)
        return session

    def _start(self, session: Session, day: int) -> int:
        rng = self._rng
        if session.endpoint is cast.NIGHTLY:  # six batches, twenty minutes apart
            return day * DAY_MS + 2 * HOUR_MS + rng.randrange(6) * 20 * MINUTE_MS + rng.randrange(90_000)
        hour = rng.choices(range(24), cast.HOURS)[0]
        # Twelve minutes of the day are kept free, so that a conversation ends on the day it began.
        return day * DAY_MS + min(hour * HOUR_MS + rng.randrange(HOUR_MS), DAY_MS - 12 * MINUTE_MS)

    def _loop(self, day: int) -> Iterator[Attempt]:
        """An agent that checks the same route again and again, every minute or faster."""
        start, gap = day * DAY_MS + 19 * HOUR_MS, min(MINUTE_MS, LOOP_WITHIN_MS // self._loop_calls)
        for number in range(self._loop_calls):
            session = Session(cast.ITINERARY, self.loop_user, SONNET, ("loop",))
            yield from self._talk(session, start + number * gap + self._rng.randrange(gap // 4))

    def _burst(self, day: int) -> Iterator[Attempt]:
        """A campaign between 15:00 and 18:00 brings every user to the sales desk."""
        ordinary = [session for session in self._deck if session.endpoint is cast.LEADS]
        for number in range((BURST_FACTOR - 1) * len(ordinary)):
            session = Session(cast.LEADS, self.users[number % len(self.users)], GPT_4O, ("lead",))
            yield from self._talk(session, day * DAY_MS + 15 * HOUR_MS + self._rng.randrange(3 * HOUR_MS))

    def _talk(self, session: Session, start_ms: int) -> Iterator[Attempt]:
        """The calls of one conversation, each with the whole history before it."""
        rng, endpoint = self._rng, session.endpoint
        self._sessions += 1
        has_new_prompt = endpoint is cast.EXTRACT and start_ms // DAY_MS in PROMPT_DAYS
        system = texts.SYSTEMS[endpoint.path + (" v2" if has_new_prompt else "")]
        hidden = cast.EXTRACT_HIDDEN_TOKENS_2 if has_new_prompt else endpoint.hidden_tokens
        messages = [{"role": "system", "content": system}]
        is_cached = rng.random() < 0.7 and PROVIDER_OF[session.model] in CACHING_PROVIDERS
        before = 0
        for turn, intent in enumerate(session.intents, 1):
            text = texts.fill(rng, intent, session.user.language)
            messages.append({"role": "user", "content": text})
            chars = sum(len(message["content"]) for message in messages)
            tokens = hidden + chars // 4 + 4 * len(messages)
            if intent == "contract_review":
                tokens += rng.randrange(*cast.REVIEW_TOKENS)
            cached = (
                before // CACHE_BLOCK_TOKENS * CACHE_BLOCK_TOKENS if is_cached and before >= CACHE_FROM_TOKENS else 0
            )
            first = self._first(session, intent, turn, messages, start_ms, tokens, cached)
            last = first
            for last in self._outcomes(first):
                yield last
            start_ms = last.start_ms + last.latency_ms + rng.randrange(12_000, 60_000)
            before = tokens
            messages.append({"role": "assistant", "content": texts.answer(intent, session.user.language)})

    def _first(
        self, session: Session, intent: str, turn: int, messages: list[dict[str, str]], start_ms: int, tokens: int,
        cached: int
    ) -> Attempt:  # fmt: skip
        rng = self._rng
        low, high = cast.OUTPUT_TOKENS[intent]
        output = rng.randrange(low, high)
        wait = int(rng.lognormvariate(5.9, 0.35)) + tokens // 60
        latency = wait + int(output * rng.uniform(9, 16))
        self._calls += 1
        return Attempt(
            start_ms, self._calls, 1, self._sessions, turn, session.endpoint, session.user, session.model, intent,
            json.dumps(messages, ensure_ascii=False, separators=(",", ":")), tokens,
            None if session.model == UNKNOWN else cached,
            output, latency, wait if session.endpoint.is_streamed else None, claimed_tier=self._claim(session.endpoint,
            intent),
        )  # fmt: skip

    def _claim(self, endpoint: Endpoint, intent: str) -> str | None:
        """The log's own tier: the true one in nine of ten rows that carry one."""
        if not endpoint.claims_tier:
            return None
        draw = self._rng.random()
        return None if draw < 0.3 else "B" if draw < 0.37 else texts.TIER_OF[intent]

    def _outcomes(self, first: Attempt) -> Iterator[Attempt]:
        """The attempts that one call took."""
        if first.model == SONNET and OUTAGE_MS[0] <= first.start_ms < OUTAGE_MS[1]:
            yield from self._fallen_back(first)
            return
        draw = self._rng.random()
        if draw < UNBILLED_RETRY_RATIO:
            yield (failed := self._unbilled(first, "rate_limit_error", 429))
            yield self._again(first, failed)
        elif draw < (edge := UNBILLED_RETRY_RATIO + BILLED_RETRY_RATIO):
            yield (failed := self._partial(first, "error", "timeout", 504))
            yield self._again(first, failed)
        elif draw < (edge := edge + CANCELLED_RATIO):
            yield self._partial(first, "cancelled", "client_closed", 499)
        elif draw < edge + DOUBLE_SEND_RATIO:
            yield first
            yield self._again(first, first)
        else:
            yield first

    def _fallen_back(self, first: Attempt) -> Iterator[Attempt]:
        one = self._unbilled(first, "overloaded_error", 529)
        two = self._unbilled(self._again(first, one), "overloaded_error", 529)
        three = self._again(first, two)
        three.attempt, three.model, three.is_fallback = 3, GPT_4O, True
        yield from (one, two, three)

    def _unbilled(self, row: Attempt, error_type: str, http_status: int) -> Attempt:
        return replace(
            row, status="error", error_type=error_type, http_status=http_status, input_tokens=None, cached_tokens=None,
            output_tokens=None, first_token_ms=None, latency_ms=self._rng.randrange(120, 900),
        )  # fmt: skip

    def _partial(self, row: Attempt, status: str, error_type: str, http_status: int) -> Attempt:
        """The provider worked, and bills, but the answer did not arrive whole."""
        assert row.output_tokens is not None
        output = max(1, int(row.output_tokens * self._rng.uniform(0.4, 0.9)))
        latency = 30_000 if status == "error" else row.latency_ms
        return replace(
            row, status=status, error_type=error_type, http_status=http_status, output_tokens=output, latency_ms=latency
        )

    def _again(self, first: Attempt, after: Attempt) -> Attempt:
        start_ms = after.start_ms + after.latency_ms + self._rng.randrange(400, 1800)
        return replace(first, start_ms=start_ms, attempt=after.attempt + 1)
