"""Intent and tier of a request by the tier rules; the twin of `costctl.tiers.decide.Decider`."""

from __future__ import annotations

from typing import Any, NamedTuple

from costctl.export.runtime.holding import fields_of, holds_when


class Said(NamedTuple):
    """What the tier rules say of a request."""

    tier: str
    intent: str | None
    reason: str


class TierRules:
    """The rules of `data`: first match, then floors."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._rules = [(holds_when(one["when"]), one) for one in data["rules"]]
        self._floors = [(holds_when(one["when"]), one) for one in data["floors"]]
        self._names: list[str] = data["tiers"]
        self._weights: list[list[Any]] = data["weights"]
        self._score_from: list[list[Any]] = data["score_from"]
        whens = [one["when"] for one in (*data["rules"], *data["floors"])]
        self.fields = {field for when in whens for field in fields_of(when)} | {name for name, _ in self._weights}

    def decide(self, known: dict[str, Any]) -> Said:
        """Tier, intent and reason; `known` has the features of the text and what lies beside it."""
        rule: dict[str, Any] = next((one for holds, one in self._rules if holds(known)), _NO_RULE)
        intent = known.get("intent")
        tier = rule["tier"]
        reason: str = rule["name"]
        if tier == "intent":
            tier = known.get("intent_tier") or "B"
            reason = f"{intent}: {known['intent_cue']}" if intent is not None else reason
        elif tier == "score":
            tier = self._scored(known)
        level = self._names.index(tier)
        for holds, floor in self._floors:
            least = self._names.index(floor["at_least"])
            if level < least and holds(known):
                level, reason = least, f"{reason}; at least {floor['at_least']}: {floor['name']}"
        other = "other" if known.get("has_text") else None
        return Said(self._names[level], rule["intent"] or intent or other, reason)

    def _scored(self, known: dict[str, Any]) -> str:
        total = 0.0
        for name, weight in self._weights:
            total += float(known.get(name) or 0) * weight
        tier = self._names[0]
        for name, least in self._score_from:
            if total >= least:
                tier = name
        return tier


_NO_RULE: dict[str, Any] = {"name": "no rule", "tier": "B", "intent": None}
