"""Who takes part in the story: endpoints with their habits, users, and the day's ordinary load.

Every day repeats one deck of sessions with a few left out or doubled, so that nothing jumps by
accident: what jumps was planted (story.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import NamedTuple

from costctl.samples.prices import GPT_4O, GPT_41, MINI, MISTRAL, SONNET, UNKNOWN

REQUESTS_PER_DECK = 6550  # what the session counts below come to in a week, events included
USERS_PER_DECK = 40
BUDGET_BREAKERS = 2
BREAKER_SESSIONS = 14


class Endpoint(NamedTuple):
    """One route of the application. `models` and `patterns` are dealt round, in turn."""

    path: str
    app: str
    team: str
    sessions_per_day: int
    models: tuple[str, ...]
    patterns: tuple[tuple[str, ...], ...]
    hidden_tokens: int  # tool schemas and policy text that the gateway does not log
    temperature: str
    max_tokens: int
    is_streamed: bool = False
    has_user: bool = True
    claims_tier: bool = False


CHAT = Endpoint(
    "/chat", "assistant", "support", 130, (GPT_4O, MINI, GPT_4O, MINI, GPT_4O),
    (("greeting", "faq", "confirmation"), ("faq", "confirmation"), ("greeting", "recommendation", "confirmation"),
     ("rephrase", "rephrase"), ("faq",), ("greeting", "itinerary_short", "confirmation", "rephrase"), ("reformat",)),
    1100, "0.3", 600, is_streamed=True, claims_tier=True,
)  # fmt: skip
FAQ = Endpoint("/faq", "help-center", "support", 70, (MINI,), (("faq",),), 2600, "0", 200, claims_tier=True)
ITINERARY = Endpoint(
    "/itinerary", "trip-planner", "travel", 52, (SONNET,),
    (("itinerary_long",), ("itinerary_long", "comparison"), ("greeting", "itinerary_long"), ("itinerary_long",
    "confirmation")),
    1600, "0.7", 2000, is_streamed=True, claims_tier=True,
)  # fmt: skip
RECOMMEND = Endpoint("/recommend", "trip-planner", "travel", 80, (MISTRAL,), (("recommendation",),), 3000, "0.7", 500)
LEADS = Endpoint("/leads", "sales-desk", "sales", 40, (GPT_4O,), (("lead",),), 800, "0.4", 400)
EXTRACT = Endpoint(
    "/extract", "back-office", "operations", 80, (GPT_41,), (("extraction",),), 620, "0", 300, has_user=False
)
DEV = Endpoint(
    "/dev", "dev-portal", "engineering", 44, (GPT_41, GPT_41, GPT_41, UNKNOWN), (("code",), ("maths",), ("comparison",
    ), ("code",)),
    1200, "0.2", 1500,
)  # fmt: skip
NIGHTLY = Endpoint(
    "/nightly/reports", "reports", "operations", 60, (GPT_41,), (("nightly",),), 2800, "0", 800, has_user=False
)
CONTRACTS = Endpoint(
    "/contracts",
    "legal-desk",
    "legal",
    36,
    (GPT_41,),
    (("contract",), ("contract",), ("contract_review",)),
    1500,
    "0.1",
    1600,
    has_user=False,
)
ENDPOINTS = (CHAT, FAQ, ITINERARY, RECOMMEND, LEADS, EXTRACT, DEV, NIGHTLY, CONTRACTS)
# A framework contract with its annexes.
REVIEW_TOKENS = (34_000, 46_000)
EXTRACT_HIDDEN_TOKENS_2 = 2900  # the second version of the prompt carries a field guide

OUTPUT_TOKENS: Mapping[str, tuple[int, int]] = {
    "greeting": (14, 26), "confirmation": (8, 16), "faq": (38, 66), "rephrase": (24, 48), "extraction": (48, 70),
    "reformat": (40, 64), "recommendation": (210, 290), "itinerary_short": (260, 340), "lead": (130, 200),
    "itinerary_long": (620, 820), "comparison": (560, 740), "contract": (800, 980), "contract_review": (900, 1080),
    "code": (520, 760), "maths": (420, 560), "nightly": (410, 510), "loop": (140, 180),
}  # fmt: skip
# Load by hour of the UTC day: Chile sleeps from 03:00 to 10:00 UTC.
HOURS = (5, 4, 3, 1, 1, 1, 1, 1, 1, 2, 3, 6, 9, 10, 11, 11, 10, 9, 10, 10, 9, 8, 7, 6)


class User(NamedTuple):
    """An end user; the language is the one they write in."""

    user_id: str | None
    profile: str | None
    language: str


class Session(NamedTuple):
    """One conversation of the deck: who, where, with which model, and what is asked in turn."""

    endpoint: Endpoint
    user: User
    model: str
    intents: tuple[str, ...]


def users_of(requests: int) -> list[User]:
    """Users in fixed order: every third writes English; profiles free, pro, business."""
    count = max(8, round(USERS_PER_DECK * requests / REQUESTS_PER_DECK))
    profiles = ("free", "free", "pro", "free", "business")
    return [User(f"u-{n:03d}", profiles[n % 5], "en" if n % 3 == 2 else "es") for n in range(1, count + 1)]


def deck_of(rng: Random, requests: int, users: list[User]) -> list[Session]:
    """The sessions of an ordinary day."""
    deck: list[Session] = []
    seat = 0
    for endpoint in ENDPOINTS:
        for number in range(max(1, round(endpoint.sessions_per_day * requests / REQUESTS_PER_DECK))):
            if endpoint.has_user:
                user = users[seat % len(users)]
                seat += 1
            else:
                user = User(None, None, "es" if number % 3 else "en")
            model = endpoint.models[number % len(endpoint.models)]
            deck.append(Session(endpoint, user, model, endpoint.patterns[number % len(endpoint.patterns)]))
    deck += breakers(requests, users)
    rng.shuffle(deck)
    return deck


def breakers(requests: int, users: list[User]) -> list[Session]:
    """A few users of the free plan talk all day long, every day."""
    count = max(1, round(BUDGET_BREAKERS * requests / REQUESTS_PER_DECK))
    chatty = [user for user in users if user.profile == "free"][:count]
    pattern = ("faq", "rephrase", "confirmation")
    return [Session(CHAT, user, MINI, pattern) for user in chatty for _ in range(BREAKER_SESSIONS)]
