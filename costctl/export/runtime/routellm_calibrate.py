"""The threshold at which the strong model gets its share of a log: `python calibrate.py PROMPTS [--share 0.15]`.

PROMPTS has a JSON object a line: `{"score": 0.4}`, a score of RouteLLM's router, or `{"prompt": ...}` or
`{"messages": [...]}`, which RouteLLM then scores here. It prints the model that callers must ask for.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROUTER = "mf"
STRONG_SHARE = None
"""The share of calls that the policy allows the strong tier; None where it does not say."""


def threshold_of(scores: Sequence[float], share: float) -> float:
    """The lowest threshold, of five decimals, that no more than this share of the scores reaches.

    RouteLLM asks the strong model where the score is at least the threshold. Where no score may reach it, it is 1.
    """
    ranked = sorted(scores, reverse=True)
    most = math.floor(share * len(ranked) + 1e-9)
    if most == len(ranked):
        return 0.0
    # Just above the first score that must stay with the weak model, and with it all that are equal.
    return min(math.floor(ranked[most] * 100_000) + 1, 100_000) / 100_000


def last_prompt(row: dict[str, Any]) -> str:
    """The text that RouteLLM would score: that of the last message."""
    text = row["messages"][-1]["content"] if "messages" in row else row["prompt"]
    return text if isinstance(text, str) else "".join(one.get("text", "") for one in text)


def scores_of(rows: Sequence[dict[str, Any]], router: str) -> list[float]:
    """The score of each row; RouteLLM is only started where a row has none."""
    if all("score" in row for row in rows):
        return [float(row["score"]) for row in rows]
    yaml = importlib.import_module("yaml")
    config = yaml.safe_load(Path(__file__).with_name("config.yaml").read_text("utf-8"))
    routers = importlib.import_module("routellm.routers.routers")
    scorer = routers.ROUTER_CLS[router](**config.get(router, {}))
    return [float(scorer.calculate_strong_win_rate(last_prompt(row))) for row in rows]


def calibrated(argv: Sequence[str] | None = None) -> int:
    """Print `router-NAME-THRESHOLD`, and beside it how many of the log's calls it sends to the strong model."""
    parser = argparse.ArgumentParser(description="Calibrate RouteLLM's threshold on a log.")
    parser.add_argument("prompts", type=Path)
    parser.add_argument("--share", type=float, default=STRONG_SHARE, help="of calls for the strong model, 0 to 1")
    parser.add_argument("--router", default=ROUTER)
    given = parser.parse_args(argv)
    if given.share is None or not 0 <= given.share <= 1:
        parser.error("--share must be from 0 to 1: the policy caps no share of the strong tier")
    rows = [json.loads(line) for line in given.prompts.read_text("utf-8").splitlines() if line.strip()]
    if not rows:
        parser.error(f"{given.prompts} has no prompts")
    scores = scores_of(rows, given.router)
    threshold = threshold_of(scores, given.share)
    strong = sum(score >= threshold for score in scores)
    print(f"router-{given.router}-{threshold:.5f}")
    print(f"{strong} of {len(scores)} calls go to the strong model", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(calibrated())
