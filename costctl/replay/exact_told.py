"""What labels say of the hits of the exact cache: equal prompts may need different answers."""

from __future__ import annotations

import numpy as np

from costctl.policy.schema import Policy
from costctl.replay.again import Found
from costctl.replay.near_told import answer_labels
from costctl.replay.notes import Replay
from costctl.replay.plan import EXACT_CACHE
from costctl.replay.scores_file import Scores
from costctl.report import Warning, counted
from costctl.reuse.false_hits import UNKNOWN, WRONG, by_labels
from costctl.store import Store


def tell_exact(store: Store, policy: Policy, done: Replay, scores: Scores | None) -> Found:
    """How many hits of the exact cache labels judge, and how many they call wrong; nothing where they judge none."""
    found = Found()
    if policy.cache.exact is None or scores is None:
        return found
    at = np.flatnonzero(done.decisions.served_by == EXACT_CACHE)
    labels = answer_labels(store, scores, done.calls.count)
    verdicts = by_labels(labels, at, done.decisions.answered_by[at].astype(np.int64))
    judged, wrong = int(np.count_nonzero(verdicts != UNKNOWN)), int(np.count_nonzero(verdicts == WRONG))
    if not judged:
        return found
    found.tell("exact_judged_count", judged, "replayed")
    found.tell("exact_wrong_count", wrong, "replayed")
    if wrong:
        scope = ", ".join(dict.fromkeys((*policy.cache.exact.scope, "user")))
        found.warnings.append(
            Warning(
                "W283",
                f"the labels call {wrong:,} of {counted(judged, 'judged hit')} of the exact cache wrong "
                f"({counted(len(at), 'such hit')} in all): equal prompts need different answers here, and wrong per "
                "hit speaks of the semantic cache only",
                f"keep apart whose answers differ: cache.exact.scope: [{scope}]",
            )
        )
    return found
