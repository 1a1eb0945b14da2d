"""Our own sentences (texts.json): what users of an invented travel agency ask, in English and Spanish.

Each intent has the tier that a person would give it at once, so that the truth of the story
does not hang on borderline texts. Words in braces are slots that `fill` draws.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

TIER_OF: Mapping[str, str] = {
    "greeting": "A", "confirmation": "A", "faq": "A", "rephrase": "A", "extraction": "A", "reformat": "A",
    "recommendation": "B", "itinerary_short": "B", "lead": "B",
    "itinerary_long": "C", "comparison": "C", "contract": "C", "contract_review": "C", "code": "C", "maths": "C",
    "nightly": "C", "loop": "C",
}  # fmt: skip

_TEXTS: dict[str, Any] = json.loads(Path(__file__).with_name("texts.json").read_text("utf-8"))
MESSAGES: Mapping[str, Mapping[str, list[str]]] = _TEXTS["messages"]  # intent, language, templates
ANSWERS: Mapping[str, Mapping[str, str]] = _TEXTS["answers"]  # intent, language
SYSTEMS: Mapping[str, str] = _TEXTS["systems"]  # system prompt by endpoint
CITIES: list[str] = _TEXTS["cities"]
NAMES: list[str] = _TEXTS["names"]
DAYS_FROM, DAYS_BELOW = 8, 19


def fill(rng: Random, intent: str, language: str) -> str:
    """One message of that intent with its slots drawn; equal draws give equal texts."""
    template = rng.choice(MESSAGES[intent][language])
    if "{" not in template:
        return template
    city, city2 = rng.sample(CITIES, 2)
    name, name2 = rng.sample(NAMES, 2)
    order, days = f"AS-{rng.randrange(10_000, 99_999)}", rng.randrange(DAYS_FROM, DAYS_BELOW)
    return template.format(city=city, city2=city2, name=name, name2=name2, order=order, days=days)


def answer(intent: str, language: str) -> str:
    """What the assistant says; where an intent has no answer of its own, that it is done."""
    return ANSWERS.get(intent, ANSWERS["confirmation"])[language]
