"""What is said wherever prompts are compared, whichever command compares them."""

from __future__ import annotations

from costctl.report import Warning, counted
from costctl.reuse.embed import WORDS, default

BY_WORDS = "an embedding of meanings finds several times as many: pip install 'costctl[semantic]'"
ONE_LANGUAGE = "; the same question in another language is hardly near in it and then not counted"


def near_warnings(name: str, differing_count: int, *, is_given: bool, what: str = "near prompts") -> list[Warning]:
    """By which embedding, what it does not see, and whether the log gives prompts several vectors."""
    hint = BY_WORDS if name == WORDS == default() else ""
    said = [Warning("W230", f"{what} by {name}{'' if is_given else ONE_LANGUAGE}", hint)]
    if differing_count:
        prompts = counted(
            differing_count,
            "prompt has different vectors in its records",
            "prompts have different vectors in their records",
        )
        hint = "one model for all of the log, and the vector of the last user message alone, not of the whole request"
        said.append(Warning("W239", f"{prompts}: the first one counts", hint))
    return said
