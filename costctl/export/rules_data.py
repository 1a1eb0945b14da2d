"""The tier rules as data of an exported decision: folded cues, groups, patterns, rules."""

from __future__ import annotations

import re
from typing import Any

from costctl.export.characters import letters, word_parts
from costctl.tiers import text
from costctl.tiers.content import Content, Intent
from costctl.tiers.fields import BOOLEANS, COUNT_OF, NUMBERS, PACKED
from costctl.tiers.schema import COMPARISON, TIERS

LONGEST = 2**31 - 1


def characters_data() -> dict[str, Any]:
    """What texts are folded by."""
    return {"fold": text.FOLD, "shorter": text.SHORTER, "letters": letters(), "word_parts": word_parts()}


def rules_data(content: Content) -> dict[str, Any]:
    """What decides intent and tier; the same content gives the same data."""
    table = text.cue_table(content.intents)
    signals = sorted(content.signals.keys() & _used_signals(content))
    groups = [group for name in signals for group in content.signals[name]] + list(content.durations.values())
    folded = text.fold(sorted({cue for group in groups for cue in group}))  # all at once: the engine is asked each time
    alone = sorted({cue for intent in content.intents if intent.alone for cue, _ in intent.cues})
    return {
        "tiers": list(TIERS),
        "packed": [[name, 2**bits - 1] for name, bits in PACKED.items()],
        "count_of": dict(COUNT_OF),
        "head_chars": text.HEAD_CHARS,
        "patterns": {
            "number": text.NUMBER, "code": text.CODE,
            "query": list(text.QUERY_WORDS), "query_gap": text.QUERY_GAP,
            "accented": text.ACCENTED, "personal": list(text.PERSONAL),
            "days": text.DAYS, "weeks": text.WEEKS, "spanish": text.SPANISH, "english": text.ENGLISH,
            "choice": text.CHOICE,
            "slot": text.slot_pattern([cue for group in content.signals.get("slots", ()) for cue in group]),
        },
        "intents": [_intent(intent) for intent in content.intents],
        # In the order in which they decide; each with the number of its intent.
        "cues": [list(row) for row in table.select("pattern", "rank", "intent_cue", "cue_language").rows()],
        "alone": sorted(set(text.fold([*alone, *content.fillers]).values())),
        "signals": {
            name: [sorted(folded[cue] for cue in dict.fromkeys(group)) for group in content.signals[name]]
            for name in signals
        },
        "durations": [
            [days, sorted(folded[cue] for cue in dict.fromkeys(cues))]
            for days, cues in sorted(content.durations.items())
        ],
        "rules": [
            {"name": one.name, "when": _holds(one.when, content), "tier": one.tier, "intent": one.intent}
            for one in content.rules
        ],
        "floors": [
            {"name": one.name, "when": _holds(one.when, content), "at_least": one.at_least} for one in content.floors
        ],
        "weights": [[name, weight] for name, weight in content.weights.items()],
        "score_from": [[name, content.score_from[name]] for name in TIERS[1:] if name in content.score_from],
    }  # fmt: skip


def _intent(intent: Intent) -> dict[str, Any]:
    return {
        "name": intent.name, "tier": intent.tier, "alone": intent.alone,
        "goes_first": intent.alone or intent.is_own, "max_words": intent.max_words or LONGEST,
        "with": list(intent.needs), "without": list(intent.bars),
    }  # fmt: skip


def _used_signals(content: Content) -> set[str]:
    beside = {name for intent in content.intents for name in (*intent.needs, *intent.bars)}
    return {*COUNT_OF, "chilean", *beside}


def _holds(when: dict[str, Any], content: Content) -> list[Any]:
    """A `when` of the tier rules as `costctl.export.runtime.holding` reads it."""
    return ["all", [_condition(name, wanted, content) for name, wanted in when.items()]]


def _condition(name: str, wanted: Any, content: Content) -> list[Any]:
    if name == "any":
        return ["any", [_holds(one, content) for one in wanted]]
    if name in BOOLEANS:
        return ["is", name, bool(wanted)]
    if name in NUMBERS:
        if isinstance(wanted, int):
            return ["compare", name, "=", wanted]
        found = COMPARISON.fullmatch(wanted)
        assert found is not None, wanted
        limit = int(found[2]) if found[2].isdigit() else content.thresholds[found[2]]
        return ["compare", name, found[1], limit]
    listed = wanted if isinstance(wanted, list) else [wanted]
    starred = [".*".join(map(re.escape, one.split("*"))) for one in listed if "*" in one and one != "*"]
    pattern = rf"(?is)(?:{'|'.join(starred)})\Z" if starred else ""
    exact = [one for one in listed if one and "*" not in one]
    return ["like", name, exact, pattern, "" in listed, "*" in listed]
