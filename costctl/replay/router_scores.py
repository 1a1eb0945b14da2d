"""What a learned router says of the log's prompts; their texts are read again, and none of them is kept."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from costctl.errors import CostctlError, ExitCode
from costctl.formats.sources import Reader
from costctl.replay.calls import plain
from costctl.replay.carried import carried_scores
from costctl.store import Store
from costctl.tiers.learned import Real, Router
from costctl.tiers.learned_text import TextScorer
from costctl.tiers.router_file import dump_router

# One scorer per process, so that what it remembers outlives a task; the last router is the one in use.
_scorers: dict[str, TextScorer] = {}


def digest_of(router: Router) -> str:
    """A name for everything that the file of this router says."""
    return hashlib.sha256(dump_router(router).encode()).hexdigest()


class ScoreTake:
    """What the router says of the last message of the user; None where the log has no text of it."""

    def __init__(self, router: Router, name: str) -> None:
        self._router, self._name = router, name

    def __call__(self, messages: Any, system: Any, answer: Any) -> tuple[float] | None:
        """The score without the effects of the categories, which are columns of the log."""
        text = last_user_text(messages)
        if not text:
            return None
        scorer = _scorers.get(self._name)
        if scorer is None:
            _scorers.clear()
            scorer = _scorers[self._name] = TextScorer(self._router)
        return (scorer(text),)


def last_user_text(messages: Any) -> str:
    """The last message of the user as the tier rules read it, empty where there is none."""
    from costctl.formats.content import listed, turn  # noqa: PLC0415  (heavy)

    for message in reversed(listed(messages)):
        role, text, _ = turn(message)
        if role == "user":
            return text
    return ""


def remember_scores(store: Store, router: Router, reader: Reader | None) -> None:
    """Read the prompts of the log that was audited last by this router, unless that was done before.

    Raises:
        CostctlError: E124 for a file that is gone or has changed, E419 where no prompt can be read, E424 for a profile
            without scores by this router.
    """
    files = store.query("SELECT DISTINCT file_id FROM request WHERE user_chars > 0 ORDER BY file_id")
    if not files or reader is None:
        raise CostctlError(
            "E419",
            "routing.classifier reads prompts, and this log has no text of any",
            "log the prompts (costctl formats check LOG says what a log carries); or train a router on the columns of "
            "this log: costctl train-router LOG --scores FILE -o router.json, with scores by request id; or leave "
            "routing.classifier out, then matrix and default decide",
            ExitCode.COVERAGE,
        )
    import polars as pl  # noqa: PLC0415  (heavy)

    from costctl.formats.contents import remember  # noqa: PLC0415  (heavy)

    name = digest_of(router)
    if store.query("SELECT router FROM router_score_router") != [(name,)]:
        for table in ("router_score", "router_score_file", "router_score_router"):
            store.execute(f"DELETE FROM {table}")
        store.insert("router_score_router", ["router"], [(name,)])
    if carried_scores(store, name):
        return
    known = {file_id for (file_id,) in store.query("SELECT file_id FROM router_score_file")}
    unread = [file_id for (file_id,) in files if file_id not in known]
    remember(store, reader, ScoreTake(router, name), "router_score", {"score": pl.Float64}, unread)


def scores_of(store: Store, count: int) -> Real:
    """The score of each call in the order of the replay, NaN where its text is not known."""
    found = store.numpy(
        "SELECT p.position, s.score FROM replay_place p JOIN router_score s USING (file_id, source_line)"
    )
    scores = np.full(count, np.nan)
    scores[plain(found["position"])] = plain(found["score"])
    return scores
