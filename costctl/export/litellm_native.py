"""LiteLLM's own scorer set up as near to a policy as it goes, and the same scorer here, to measure how near that is.

Its keyword rules send a request to the highest tier of which a keyword stands in the last message of the user: single
words as whole words, several as any part of the text, lower-cased and with accents as they are. Where none does, the
length of that message decides, four characters for a token. It has no stems, no conditions, and no order of rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from costctl.export.litellm_lanes import SLOTS, fallback_lane, written_lanes
from costctl.export.resolved import Lane, Resolved
from costctl.policy.when import Any_, Compare, OneOf, When

CHARS_PER_TOKEN = 4
WORDS_MAX = 400
"""Single words that are written: LiteLLM compiles each anew for each request once they are more than Python keeps."""
_NEVER = 10**9
# Characters of scripts without blanks, as LiteLLM lists them: a word with one is looked for as any part of the text.
_CJK = re.compile(
    "[\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003ffff]"
)
_RUNS = re.compile(r"\w+")


class Native(NamedTuple):
    """What its scorer is given: a lane for each of its tiers, keywords by tier, lengths in tokens, score boundaries."""

    lanes: tuple[Lane, ...]
    keywords: tuple[tuple[str, tuple[str, ...]], ...]
    short_tokens: int
    long_tokens: int
    boundaries: tuple[float, float, float]


def native_of(given: Resolved) -> Native:
    """The nearest settings; the policy has a tier with a model of its own."""
    tiers = [lane for lane in written_lanes(given, is_plugin=False) if lane.is_tier]
    fallback = fallback_lane(given, is_plugin=False)
    assert fallback is not None
    lanes = tuple(tiers[min(at, len(tiers) - 1)] for at in range(len(SLOTS)))
    middle = tiers.index(fallback)
    found = _words_by_lane(given, {lane.name: lane for lane in tiers}, fallback)
    keywords = tuple((SLOTS[at], found.get(lane.name, ())) for at, lane in enumerate(tiers) if found.get(lane.name))
    long_tokens, above = _long(given, tiers, middle)
    return Native(lanes, keywords, 0, long_tokens, _boundaries(middle, above))


def _boundaries(middle: int, above: int) -> tuple[float, float, float]:
    """So that a score of 0 falls into slot `middle`, and one of 1 into slot `above`."""
    return tuple(-9.0 if slot <= middle else 0.5 if slot <= above else 8.0 for slot in range(1, len(SLOTS)))  # type: ignore[return-value]


def _words_by_lane(given: Resolved, tiers: dict[str, Lane], fallback: Lane) -> dict[str, tuple[str, ...]]:
    """The cues of the intents that go to a tier other than the default one, as whole words."""
    found: dict[str, list[str]] = {}
    for intent in given.content.intents:
        lane = _lane_of(given, intent.name, intent.tier)
        # Cues that hold only beside others would speak far too often.
        if lane is None or lane not in tiers or lane == fallback.name or intent.needs:
            continue
        found.setdefault(lane, []).extend(cue.rstrip("*").strip() for cue, _ in intent.cues)
    left = WORDS_MAX
    kept: dict[str, tuple[str, ...]] = {}
    for lane, words in found.items():
        unique = [word for word in dict.fromkeys(words) if word]
        single = [word for word in unique if not _is_phrase(word)][:left]
        left -= len(single)
        kept[lane] = tuple(word for word in unique if _is_phrase(word) or word in single)
    return kept


def _lane_of(given: Resolved, intent: str, tier: str) -> str | None:
    """The lane that a policy gives to an intent: by a rule that asks for nothing else, else by the matrix."""
    for rule in given.policy.routing.rules:
        for field, values in _one_of(rule.when):
            if (intent if field == "intent" else tier) in values:
                return rule.to
    return given.policy.routing.matrix.get(intent)


def _one_of(when: When) -> Iterator[tuple[str, tuple[str, ...]]]:
    parts = when.parts if isinstance(when, Any_) else (when,)
    for part in parts:
        if isinstance(part, OneOf) and part.field in {"intent", "tier"}:
            yield part.field, tuple(part.values)


def _long(given: Resolved, tiers: list[Lane], middle: int) -> tuple[int, int]:
    """From how many tokens on a message is long, and the slot that long ones go to."""
    names = [lane.name for lane in tiers]
    for rule in given.policy.routing.rules:
        parts = rule.when.parts if isinstance(rule.when, Any_) else (rule.when,)
        for part in parts:
            if not isinstance(part, Compare) or part.operator not in {">", ">="} or rule.to not in names[middle + 1 :]:
                continue
            scale = {"input_tokens": 1, "prompt_chars": CHARS_PER_TOKEN, "user_chars": CHARS_PER_TOKEN}.get(part.field)
            if scale is not None:
                return int(part.value / scale) - (part.operator == ">="), names.index(rule.to)
    return _NEVER, middle


def slot_of(native: Native, text: str) -> str:
    """The built-in tier that LiteLLM's scorer gives to the last message of a user."""
    lowered = text.lower()
    said = set(_RUNS.findall(lowered))
    hit = [slot for slot, words in native.keywords if _cues_of(words).stand_in(lowered, said)]
    if hit:
        return max(hit, key=SLOTS.index)
    tokens = len(text) // CHARS_PER_TOKEN
    score = -1.0 if tokens < native.short_tokens else 1.0 if tokens > native.long_tokens else 0.0
    return SLOTS[sum(score >= boundary for boundary in native.boundaries)]


def lane_of(native: Native, text: str) -> str:
    """The name of the lane that it sends such a message to."""
    return native.lanes[SLOTS.index(slot_of(native, text))].name


def _is_phrase(word: str) -> bool:
    return " " in word or _CJK.search(word) is not None


class _Cues(NamedTuple):
    """The cues of one slot: a phrase stands anywhere in a text, a word by itself."""

    words: frozenset[str]  # of letters and digits alone, so that they are found as a whole run of them
    phrases: tuple[str, ...]
    others: tuple[re.Pattern[str], ...]

    def stand_in(self, text: str, runs: set[str]) -> bool:
        """Whether any stands in a text in lower case, of which these are the runs of letters and digits."""
        return (
            not self.words.isdisjoint(runs)
            or any(phrase in text for phrase in self.phrases)
            or any(pattern.search(text) for pattern in self.others)
        )


@lru_cache(maxsize=64)
def _cues_of(words: tuple[str, ...]) -> _Cues:
    lowered = tuple(word.lower() for word in words)
    single = [word for word in lowered if not _is_phrase(word)]
    return _Cues(
        frozenset(word for word in single if _RUNS.fullmatch(word)),
        tuple(word for word in lowered if _is_phrase(word)),
        tuple(re.compile(rf"\b{re.escape(word)}\b") for word in single if not _RUNS.fullmatch(word)),
    )
