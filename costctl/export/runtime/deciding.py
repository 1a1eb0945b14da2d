"""The lane of a request: first rule, learned router, matrix, default, raises, floors, what fits."""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Any

from costctl.export.runtime.body import Request
from costctl.export.runtime.features import TextFeatures
from costctl.export.runtime.holding import fields_of, holds_when
from costctl.export.runtime.learned_router import LearnedRouter
from costctl.export.runtime.tier_rules import TierRules
from costctl.export.runtime.words import Folder

LOGGED = "logged"
"""No lane: the model that the request asks for."""

SESSIONS_MAX = 10_000


class Sessions:
    """The highest tier that served each session or user; of more than `most` the least recent are forgotten."""

    def __init__(self, most: int = SESSIONS_MAX) -> None:
        self._most = most
        self._tiers: OrderedDict[str, int] = OrderedDict()

    def held(self, name: str) -> int:
        """The number of the tier, -1 where none is known."""
        return self._tiers.get(name, -1)

    def keep(self, name: str, tier: int) -> None:
        """Remember that this tier serves now."""
        self._tiers[name] = max(tier, self._tiers.get(name, -1))
        self._tiers.move_to_end(name)
        if len(self._tiers) > self._most:
            self._tiers.popitem(last=False)


_DATE = re.compile(r"[-@](?:20[0-9]{2}-?[0-9]{2}-?[0-9]{2})\Z")


def _undated(model: str | None) -> str | None:
    """The model without the date that its name ends with."""
    return None if model is None else _DATE.sub("", model)


def _scaled(tokens: int, ratio: float) -> int:
    """Tokens times a ratio of six decimals, halves up, in whole numbers."""
    return (tokens * round(ratio * 1_000_000) * 2 + 1_000_000) // 2_000_000


class Decider:
    """Decides as the policy of `data` does, request by request; nothing is kept of any."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data
        self._packed: list[list[Any]] = data["tier_rules"]["packed"]
        self._features = TextFeatures(data["tier_rules"], Folder(data["characters"]))
        self._tier_rules = TierRules(data["tier_rules"])
        routing = data["routing"]
        self._lanes: list[dict[str, Any]] = data["lanes"]
        self._tier_count: int = data["tier_count"]
        self._number = {lane["name"]: at for at, lane in enumerate(self._lanes)}
        self._number[LOGGED] = len(self._lanes)
        self._rules, self._raises, self._floors = (
            [(holds_when(one["when"]), one) for one in routing[part]] for part in ("rules", "raises", "floors")
        )
        self._matrix: dict[str, str] = routing["matrix"]
        self._default: str | None = routing["default"]
        self.sticky: str | None = routing["sticky"]
        self._learned = LearnedRouter(data["learned"]) if data["learned"] else None
        whens = [one["when"] for part in ("rules", "raises", "floors") for one in routing[part]]
        self._asked = {field for when in whens for field in fields_of(when)}
        self._asked |= self._learned.fields if self._learned else set()
        self._asked |= {"intent"} if self._matrix else set()

    def decide(
        self, body: Any, metadata: dict[str, Any] | None = None, sessions: Sessions | None = None
    ) -> dict[str, Any]:
        """Where a request goes, and how it is sent there.

        `body` is a request as OpenAI or Anthropic take it. `metadata` has what lies beside it under the names of
        `when`: endpoint, app, team, user_id, user_profile, session_id, input_tokens, ... With `sessions` the tier of
        a session or user never falls, where the policy says so.
        """
        request = Request(body, metadata)
        known = self._known(request)
        at, told = self._first(request, known)
        instruction, raised_by, floored_by = None, None, None
        for holds, one in self._raises:
            target = self._number[one["to"]]
            if at < self._tier_count and at < target and holds(known):
                at, raised_by, instruction = target, one["name"], one["add_instruction"]
        for holds, one in self._floors:
            least = self._number[one["at_least"]]
            if at < self._tier_count and at < least and holds(known):
                at, floored_by = least, one["name"]
        ruled, at = at, self._fitting(at, known)
        at, is_held = self._stuck(at, known, sessions)
        return {
            **self._lane(at, known), **told, "raised_by": raised_by, "floored_by": floored_by,
            "add_instruction": instruction if at < len(self._lanes) else None,
            "intent": known["intent"], "is_moved_to_fit": ruled != at and not is_held, "is_held_by_session": is_held,
            "unknown_fields": sorted(field for field in self._fields(known) if known.get(field) is None),
            "estimated_fields": request.estimated,
        }  # fmt: skip

    def _known(self, request: Request) -> dict[str, Any]:
        """What conditions ask for: the fields of the request, and the signals of its text as the audit keeps them."""
        known = request.known
        features = self._features.read(request.text) if request.text is not None else {}
        beside = {**known, **features, "has_text": request.text is not None}
        said = self._tier_rules.decide(beside)
        for name, most in self._packed:
            known[name] = min(int(features[name] or 0), most) if features else None
        known.update(
            language=features.get("language"), register=features.get("register"), has_text=bool(features),
            intent=said.intent, tier=said.tier, external_facts=said.intent == "external_facts",
        )  # fmt: skip
        return known

    def _fields(self, known: dict[str, Any]) -> set[str]:
        """The fields that this decision rests on; without text the tier rules ask for what lies beside it."""
        rests_on_rules = bool({"intent", "tier", "external_facts"} & self._asked)
        beside = {"endpoint", "input_tokens", "output_tokens", "tool_count", "request_model", "has_image"}
        more = beside & self._tier_rules.fields if rests_on_rules and not known["has_text"] else set()
        # That a text has no such signal is known; and that something is absent is what these tell.
        return (self._asked | more) - {"register", "external_facts"}

    def _first(self, request: Request, known: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """The lane by rule, learned router, matrix or default, and why."""
        for holds, one in self._rules:
            if holds(known):
                return self._number[one["to"]], {"reason": one["name"], "rule": one["name"], "gain": None}
        if self._learned is not None:
            gain = self._learned.gain(request.text, known)
            if gain is not None:
                learned, is_dear = self._data["learned"], self._learned.is_dear(gain)
                told = {"reason": learned["reasons"][is_dear], "rule": None, "gain": gain}
                return self._number[learned["sides"][is_dear]], told
        intent = known["intent"]
        if intent in self._matrix:
            return self._number[self._matrix[intent]], {"reason": f"intent {intent}", "rule": None, "gain": None}
        reason = "default" if self._default else "no rule: as logged"
        return self._number[self._default or LOGGED], {"reason": reason, "rule": None, "gain": None}

    def _fitting(self, at: int, known: dict[str, Any]) -> int:
        """The lane, or the next higher tier that can hold the request; without one the model asked for."""
        while at < self._tier_count and not self._holding(at, known):
            at += 1
            if at == self._tier_count:
                return len(self._lanes)
        return at if at < self._tier_count or self._holding(at, known) else len(self._lanes)

    def _holding(self, at: int, known: dict[str, Any]) -> list[str]:
        """The models of the lane that can hold input and answer, in order."""
        if at == len(self._lanes):
            return [LOGGED]
        lane = self._lanes[at]
        tokens = known["sent_input_tokens"] if known["sent_input_tokens"] is not None else known["input_tokens"]
        held = []
        for one in lane["models"]:
            is_asked = one["name"] == LOGGED or _undated(known["model"]) in one["same"] or known["model"] in one["same"]
            sizes = (self._answer(known, 1 if is_asked else one["output_tokens_ratio"]), lane["max_output_tokens"])
            needed = (tokens or 0) + min((size for size in sizes if size is not None), default=0)
            windows = (lane["context_tokens"], None if is_asked else one["context_tokens"])
            if all(window is None or needed <= window for window in windows):
                held.append(one["name"])
        return held

    def _answer(self, known: dict[str, Any], ratio: float) -> int | None:
        """Tokens of the answer where someone knows them, of the model asked for; else as many as the request allows."""
        if known["output_tokens"] is None:
            most: int | None = known["max_output_tokens"]
            return most
        return _scaled(known["output_tokens"], ratio)

    def _stuck(self, at: int, known: dict[str, Any], sessions: Sessions | None) -> tuple[int, bool]:
        """The tier of the session, if it is higher and can hold the request."""
        name = known.get("session_id" if self.sticky == "session" else "user_id")
        if self.sticky is None or sessions is None or name is None or at >= self._tier_count:
            return at, False
        held = sessions.held(name)
        is_held = held > at and bool(self._holding(held, known))
        at = held if is_held else at
        sessions.keep(name, at)
        return at, is_held

    def _lane(self, at: int, known: dict[str, Any]) -> dict[str, Any]:
        """How a lane is called."""
        if at == len(self._lanes):
            asked = known["request_model"]
            return {
                "tier": LOGGED, "models": [asked] if asked else [], "select": "first", "weights": [],
                "max_output_tokens": None, "temperature": None, "timeout_s": None, "fallbacks": [],
            }  # fmt: skip
        lane = self._lanes[at]
        models = [known["request_model"] or LOGGED if one == LOGGED else one for one in self._holding(at, known)]
        return {
            "tier": lane["name"], "models": models, "select": lane["select"], "weights": lane["weights"],
            "max_output_tokens": lane["max_output_tokens"], "temperature": lane["temperature"],
            "timeout_s": lane["timeout_s"], "fallbacks": lane["fallbacks"],
        }  # fmt: skip
