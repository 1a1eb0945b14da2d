"""The content of rule files as frozen values: the shipped rules, with the user's own on top."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

Groups = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Intent:
    """What a message may be after, and the cues that say so; a cue knows its language, or none."""

    name: str
    tier: str
    cues: tuple[tuple[str, str | None], ...]
    alone: bool = False
    max_words: int | None = None
    needs: tuple[str, ...] = ()
    bars: tuple[str, ...] = ()
    is_own: bool = False


@dataclass(frozen=True)
class Rule:
    """Where all of `when` holds, this tier (A, B, C, intent or score), perhaps another intent."""

    name: str
    when: dict[str, Any]
    tier: str
    intent: str | None = None


@dataclass(frozen=True)
class Floor:
    """Where all of `when` holds, at least this tier."""

    name: str
    when: dict[str, Any]
    at_least: str


@dataclass(frozen=True)
class Content:
    """Everything that decides a tier."""

    intents: tuple[Intent, ...]
    fillers: tuple[str, ...]
    signals: dict[str, Groups]
    durations: dict[int, tuple[str, ...]]
    thresholds: dict[str, int]
    rules: tuple[Rule, ...]
    floors: tuple[Floor, ...]
    weights: dict[str, float]
    score_from: dict[str, float]


def content_of(shipped: dict[str, Any], own: dict[str, Any] | None = None) -> Content:
    """Checked mappings as one content; own intents and rules come first, the rest is added."""
    if own is None:
        own = {}
    elif own.get("defaults") is False:
        shipped = {}
    own_intents = [replace(_intent(item), is_own=True) for item in own.get("intents", [])]
    taken = {intent.name for intent in own_intents}
    kept = [intent for item in shipped.get("intents", []) if (intent := _intent(item)).name not in taken]
    signals: dict[str, Groups] = {}
    durations: dict[int, tuple[str, ...]] = {}
    for source in (shipped, own):
        for name, cues in source.get("signals", {}).items():
            signals[name] = (*signals.get(name, ()), *_groups(cues))
        for days, cues in source.get("durations", {}).items():
            durations[days] = (*durations.get(days, ()), *cues)
    score = own.get("score", {})
    return Content(
        intents=(*own_intents, *kept),
        fillers=(*shipped.get("fillers", ()), *own.get("fillers", ())),
        signals=signals,
        durations=durations,
        thresholds={**shipped.get("thresholds", {}), **own.get("thresholds", {})},
        rules=tuple(_rule(item) for source in (own, shipped) for item in source.get("rules", [])),
        floors=tuple(
            Floor(item["name"], item["when"], item["at_least"])
            for source in (shipped, own)
            for item in source.get("floors", [])
        ),
        weights=score.get("weights", {}),
        score_from=score.get("at_least", {}),
    )


def _intent(item: dict[str, Any]) -> Intent:
    cues = item["cues"] if isinstance(item["cues"], dict) else {None: item["cues"]}
    return Intent(
        name=item["name"],
        tier=item["tier"],
        cues=tuple((cue, language) for language, listed in cues.items() for cue in listed),
        alone=item.get("alone", False),
        max_words=item.get("max_words"),
        needs=tuple(item.get("with", ())),
        bars=tuple(item.get("without", ())),
    )


def _groups(cues: list[Any]) -> Groups:
    return tuple(tuple(item) if isinstance(item, list) else (item,) for item in cues)


def _rule(item: dict[str, Any]) -> Rule:
    return Rule(item["name"], item.get("when", {}), item["tier"], item.get("intent"))
