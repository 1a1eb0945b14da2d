"""Conditions of a policy as signals and rule trees of the vLLM semantic router.

Texts are told by patterns over the last message, as the tier rules do, but by fewer of their steps: which cue of
several intents decides is not by its place in the text. Patterns are of the syntax that both engines share.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from costctl.policy.when import All, Any_, Compare, Is, Not, OneOf, When
from costctl.tiers import text
from costctl.tiers.content import Content, Intent
from costctl.tiers.fields import COUNT_OF

Tree = dict[str, Any]

METADATA = ("endpoint", "app", "caller", "user_id", "user_profile", "team", "project", "region", "service_tier")
"""Facts that the caller must send as request metadata under these names."""
TIER_KEY = "costctl_tier"

_SIGNAL_OF = {field: signal for signal, field in COUNT_OF.items()}
_SIGNS = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}
_ACCENTS = {"a": "[aá]", "e": "[eé]", "i": "[ií]", "o": "[oó]", "u": "[uúü]", "n": "[nñ]"}
# A line with two bars, tabs or semicolons, or three commas.
_TABLE_ROW = r"(?m)^(?:(?:[^\n|]*\|){2}|(?:[^\n\t]*\t){2}|(?:[^\n;]*;){2}|(?:[^\n,]*,){3})"
# Letters by name: classes of all scripts make patterns of a hundred cues too big for an engine without steps back.
_LETTERS = "0-9A-Za-zÁÉÍÓÚÜÑáéíóúüñ"
_WORD, _BETWEEN = f"[{_LETTERS}]+", f"[^{_LETTERS}]+"
_COUNTED = {"table_rows": _TABLE_ROW, "word_count": _WORD, "choice_count": text.CHOICE}


class NotCarriedError(Exception):
    """A field of a condition that no signal tells."""


class Signals:
    """Collects the signals that the conditions of one policy need; equal ones have one name."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._names: dict[str, str] = {}
        self.families: dict[str, list[dict[str, Any]]] = {}

    def tree(self, when: When) -> Tree:
        """A condition as a rule tree.

        Raises:
            NotCarriedError: naming the first field that no signal tells.
        """
        match when:
            case All(parts):
                return {"operator": "AND", "conditions": [self.tree(part) for part in parts]}
            case Any_(parts):
                return {"operator": "OR", "conditions": [self.tree(part) for part in parts]}
            case Not(part):
                return negated(self.tree(part))
            case Is(field, wanted):
                found = self._fact(field)
                return found if wanted else negated(found)
            case Compare(field, operator, value):
                return self._compared(field, operator, float(value))
            case OneOf(field, values):
                return self._one_of(field, values)
        raise AssertionError(when)

    def intent(self, name: str) -> Tree:
        """Whether a text is after this.

        Raises:
            NotCarriedError: where no cue says so.
        """
        found = [self._cued(one) for one in self._content.intents if one.name == name]
        if not found:
            raise NotCarriedError(f"intent {name}")
        return found[0] if len(found) == 1 else {"operator": "OR", "conditions": found}

    def more_tokens(self, limit: int) -> Tree:
        """Whether a request has more input tokens than this."""
        return self._leaf("context", "context", f"over-{limit}-tokens", {"min_tokens": str(limit + 1)})

    def metadata(self, key: str, values: Iterable[str]) -> Tree:
        """Whether the caller says one of these."""
        wanted = list(values)
        return self._leaf("metadata", "metadata", key, {"key": key, "predicate": {"in": wanted}})

    def _fact(self, field: str) -> Tree:
        if field == "has_code":
            return self._pattern("code", text.CODE)
        if field == "contains_personal_data":
            return self._pattern("personal-data", "|".join(f"(?:{one})" for one in text.PERSONAL))
        if field == "external_facts":
            return self.intent("external_facts")
        if field == "has_image":
            source = {"type": "image_content"}
            return self._leaf(
                "conversation", "conversation", "image", {"feature": {"type": "exists", "source": source}}
            )
        raise NotCarriedError(field)

    def _compared(self, field: str, operator: str, value: float) -> Tree:
        if operator == "=":
            both = [self._compared(field, sign, value) for sign in (">=", "<=")]
            return {"operator": "AND", "conditions": both}
        if field == "input_tokens":
            return self._tokens(operator, value)
        if field == "tool_count":
            return self._counted("conversation", "tools", {"type": "tool_definition"}, operator, value)
        if field == "turn_count":
            return self._counted("conversation", "turns", {"type": "message", "role": "user"}, operator, value)
        if field in _SIGNAL_OF:
            source = {"type": "regex", "pattern": cue_pattern(self._cues_of(_SIGNAL_OF[field]))}
            return self._counted("structure", _SIGNAL_OF[field], source, operator, value)
        if field in _COUNTED:
            source = {"type": "regex", "pattern": _COUNTED[field]}
            return self._counted("structure", field.replace("_", "-"), source, operator, value)
        raise NotCarriedError(field)

    def _tokens(self, operator: str, value: float) -> Tree:
        """A band is of whole tokens and holds both its ends."""
        if operator in {">", ">="}:
            least = int(value) + 1 if operator == ">" or value != int(value) else int(value)
            return self.more_tokens(least - 1)
        over = self._tokens(">" if operator == "<=" else ">=", value)
        return negated(over)

    def _one_of(self, field: str, values: tuple[str, ...]) -> Tree:
        if field == "intent":
            found = [self.intent(one) for one in values]
            return found[0] if len(found) == 1 else {"operator": "OR", "conditions": found}
        if field in METADATA and not any(one.endswith("*") for one in values):
            return self.metadata(field, values)
        raise NotCarriedError(field)

    def _cued(self, intent: Intent) -> Tree:
        cues = [cue for cue, _ in intent.cues]
        if intent.alone:
            alone = [cue for one in self._content.intents if one.alone for cue, _ in one.cues]
            said = alternatives([*alone, *self._content.fillers])
            only = rf"(?i)^[^{_LETTERS}]*(?:(?:{said})(?:{_BETWEEN}|$))+$"
            cued = self._pattern(f"cue-{intent.name}", cue_pattern(cues))
            return {"operator": "AND", "conditions": [cued, self._pattern("nothing-else", only)]}
        parts = [self._pattern(f"cue-{intent.name}", cue_pattern(cues))]
        if intent.needs:
            beside = [self._signal(name) for name in intent.needs]
            parts.append(beside[0] if len(beside) == 1 else {"operator": "OR", "conditions": beside})
        parts += [negated(self._signal(name)) for name in intent.bars]
        if intent.max_words is not None:
            parts.append(self._compared("word_count", "<=", intent.max_words))
        return parts[0] if len(parts) == 1 else {"operator": "AND", "conditions": parts}

    def _signal(self, name: str) -> Tree:
        return self._pattern(f"signal-{name}", cue_pattern(self._cues_of(name)))

    def _cues_of(self, name: str) -> list[str]:
        return [cue for group in self._content.signals.get(name, ()) for cue in group]

    def _pattern(self, name: str, pattern: str) -> Tree:
        feature = {"type": "exists", "source": {"type": "regex", "pattern": pattern}}
        return self._leaf("structure", "structure", name, {"feature": feature})

    def _counted(self, family: str, name: str, source: Mapping[str, str], operator: str, value: float) -> Tree:
        number = int(value) if value == int(value) else value
        rule = {"feature": {"type": "count", "source": dict(source)}, "predicate": {_SIGNS[operator]: number}}
        return self._leaf(family, family, f"{name}-{_SIGNS[operator]}-{number}", rule)

    def _leaf(self, family: str, kind: str, name: str, rule: dict[str, Any]) -> Tree:
        """A reference to the signal, which is written once."""
        key = f"{family} {json.dumps(rule, sort_keys=True)}"
        if key not in self._names:
            taken = {one["name"] for one in self.families.get(family, [])}
            plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
            self._names[key] = next(one for one in _numbered(plain) if one not in taken)
            self.families.setdefault(family, []).append({"name": self._names[key], **rule})
        return {"type": kind, "name": self._names[key]}


def negated(tree: Tree) -> Tree:
    """That a tree does not hold."""
    return {"operator": "NOT", "conditions": [tree]}


def both(one: Tree, other: Tree) -> Tree:
    """That two trees hold; one without conditions always does."""
    parts = [tree for tree in (one, other) if tree.get("conditions") != []]
    return parts[0] if len(parts) == 1 else {"operator": "AND", "conditions": parts}


def cue_pattern(cues: Iterable[str]) -> str:
    """Whether one of the cues stands in a text as whole words, with or without accents; a * ends in any letters."""
    return rf"(?i)(?:^|[^{_LETTERS}])(?:{alternatives(cues)})(?:[^{_LETTERS}]|$)"


def alternatives(cues: Iterable[str]) -> str:
    """The cues as alternatives, the longest first."""
    folded = text.fold(cues)
    written = sorted(folded, key=lambda cue: (-len(cue), cue))
    return "|".join(_cue(folded[cue].split(), is_stem=cue.endswith("*")) for cue in written)


def _cue(words: list[str], *, is_stem: bool) -> str:
    plain = _BETWEEN.join("".join(_ACCENTS.get(one, re.escape(one)) for one in word) for word in words)
    return plain + (f"[{_LETTERS}]*" if is_stem else "")


def _numbered(name: str) -> Iterable[str]:
    yield name
    for number in range(2, 10_000):
        yield f"{name}-{number}"
