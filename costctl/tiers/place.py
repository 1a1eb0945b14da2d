"""Where the shipped tier rules are."""

from __future__ import annotations

from pathlib import Path

DEFAULT_RULES = Path(__file__).with_name("rules.yaml")
