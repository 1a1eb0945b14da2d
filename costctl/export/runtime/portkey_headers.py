"""The headers by which the Portkey gateway routes a request as the policy says."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CONFIG = Path(__file__).with_name("config.json")
TIER_KEY = "costctl_tier"


def headers(tier: str, metadata: Mapping[str, str] | None = None, config: Path = CONFIG) -> dict[str, str]:
    """Configuration and tier for one request; keys and addresses come from the environment.

    `tier` is the lane that `costctl_route.py` tells (export target json); `metadata` goes along as it is.

    Raises:
        LookupError: naming every variable that is not set.
    """
    found = filled(json.loads(config.read_text("utf-8")), os.environ)
    return {
        "x-portkey-config": json.dumps(found, separators=(",", ":")),
        "x-portkey-metadata": json.dumps({**(metadata or {}), TIER_KEY: tier}),
    }


def filled(config: Any, variables: Mapping[str, str]) -> Any:
    """The configuration with the value of each ${NAME}.

    Raises:
        LookupError: as `headers`.
    """
    missing: set[str] = set()

    def value_of(found: re.Match[str]) -> str:
        if found[1] not in variables:
            missing.add(found[1])
        return variables.get(found[1], "")

    def fill(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: fill(one) for key, one in value.items()}
        if isinstance(value, list):
            return [fill(one) for one in value]
        return re.sub(r"\$\{([A-Z][A-Z0-9_]*)\}", value_of, value) if isinstance(value, str) else value

    found = fill(config)
    if missing:
        raise LookupError(f"set {', '.join(sorted(missing))} in the environment")
    return found
