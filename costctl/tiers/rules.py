"""The tier rules, ready to be applied to whole columns."""

from __future__ import annotations

import hashlib
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costctl.tiers.content import Content, content_of
from costctl.tiers.place import DEFAULT_RULES
from costctl.tiers.schema import read_rules

if TYPE_CHECKING:  # only whoever applies rules needs Polars: an audit whose workers read does not
    import polars as pl

    from costctl.tiers.decide import Decider
    from costctl.tiers.text import TextReader


class TierRules:
    """Rules ready to be applied; plain data, so that worker processes can be handed them."""

    def __init__(self, content: Content, digest: str) -> None:
        self.digest = digest
        self._content = content

    @property
    def content(self) -> Content:
        """The rules as values."""
        return self._content

    @cached_property
    def _reader(self) -> TextReader:
        from costctl.tiers.text import TextReader  # noqa: PLC0415  (see above)

        return TextReader(self._content)

    @cached_property
    def _decider(self) -> Decider:
        from costctl.tiers.decide import Decider  # noqa: PLC0415  (see above)

        return Decider(self._content)

    def features(self, texts: pl.Series) -> pl.DataFrame:
        """One row of `FEATURES` per text, in order."""
        return self._reader.features(texts)

    def classify(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Tier, intent and tier_reason of each row.

        `rows` holds the features (null where the log has no text) and input_tokens,
        output_tokens, endpoint, tool_count, request_model, has_image, turn_count,
        response_format, system_chars, app.
        """
        return self._decider.decide(rows)

    def describe(self) -> list[tuple[str, str, str]]:
        """Intent, tier and first cues, for people."""
        return [(one.name, one.tier, ", ".join(cue for cue, _ in one.cues[:6])) for one in self._content.intents]


def load_rules(path: Path | None = None) -> TierRules:
    """The shipped rules, or the user's own file on top of them (`--tier-rules`).

    Own intents and rules are tried first, and an own intent replaces the shipped one of its
    name; signals, fillers, durations and floors are added; thresholds replace. With
    `defaults: false` nothing shipped is used.

    Raises:
        CostctlError: E310 when the file cannot be read, E311 with all its faults in `problems`.
    """
    if path is None:
        return _shipped_rules()
    shipped = _shipped()
    digest = hashlib.sha256(DEFAULT_RULES.read_bytes())
    own = read_rules(path, shipped["thresholds"])
    digest.update(path.read_bytes())
    return TierRules(content_of(shipped, own), digest.hexdigest())


@cache
def _shipped() -> dict[str, Any]:
    return read_rules(DEFAULT_RULES)


@cache
def _shipped_rules() -> TierRules:
    return TierRules(content_of(_shipped()), hashlib.sha256(DEFAULT_RULES.read_bytes()).hexdigest())
