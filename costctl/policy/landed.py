"""Keys of the policy file that are read and checked, but that `simulate` does not act on yet."""

from __future__ import annotations

from collections.abc import Mapping

LATER = "comes with a later step of simulate"

NOT_YET: Mapping[str, str] = {
    "cache.semantic": "comes with the semantic cache",
    **dict.fromkeys(
        (
            "routing.classifier", "experiments", "self_hosted", "post_process", "data_sources", "escalate", "hedge",
            "kill_switch", "limits", "context", "compression", "batch", "scenarios", "export", "fixed_costs",
            "retries", "fallbacks", "tiers.*.temperature", "tiers.*.timeout_s",
            "tiers.*.select=fastest", "specialists.*.temperature", "specialists.*.timeout_s",
            "specialists.*.select=fastest", "routing.raise.*.add_instruction",
        ),
        LATER,
    ),
}  # fmt: skip
"""Dotted path -> reason; `*` is any name or item, `=` one value of a key.

A key leaves this table in the change that gives it its effect."""
