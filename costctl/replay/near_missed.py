"""What the semantic cache saw of calls that it did not serve: the nearest prompt with a live entry, of any guard."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from costctl.replay.calls import Calls, Flag, Int
from costctl.replay.engine import Decisions
from costctl.replay.plan import EXACT_CACHE, PROVIDER, SEMANTIC_CACHE, SemanticCache

TAKES_NO_PART, NOTHING_NEAR, IS_REFUSED, IS_BELOW, NOT_LOOKED_FOR = range(5)
WHY = (
    "takes no part: a later turn, an image, personal data, excluded, or without text, time or price",
    "no live entry of equal guard is near enough",
    "refused by the guard: a number, negation, time, quantifier or name differs",
    "below the threshold",
    "no live entry of equal guard is near enough; what is near is not looked for among so many misses",
)
NONE = -1
RANKS = 8  # so many of the nearest prompts are looked at for one with a live entry
MISSES_MAX = 200_000  # more would take seconds, and nobody explains so many


class Missed(NamedTuple):
    """By call: the number of its reason in `WHY` (-1: a hit), and the nearest live prompt where one was seen."""

    why: Int
    position: Int  # of the call that left the entry, -1 none
    similarity_ppb: Int  # -1 none


def missed(semantic: SemanticCache, calls: Calls, made: Decisions) -> Missed:
    """Why each call was not served from the cache, as far as the graph of near prompts reaches."""
    node = np.asarray(semantic.node, dtype=np.int64)
    is_hit = (made.served_by == SEMANTIC_CACHE) | (made.served_by == EXACT_CACHE) | made.is_refreshed
    why = np.where(is_hit, NONE, np.where(node < 0, TAKES_NO_PART, NOTHING_NEAR))
    kept = np.flatnonzero(
        (made.served_by == PROVIDER) & ~made.is_refreshed & np.asarray(semantic.is_kept) & (node >= 0)
    )
    asked = np.flatnonzero(why == NOTHING_NEAR)
    if len(asked) > MISSES_MAX:
        why[asked] = NOT_LOOKED_FOR
        asked = asked[:0]
    position, similarity = _nearest(semantic, calls, node, kept, asked)
    seen = np.flatnonzero(position >= 0)
    is_same = semantic.guard[node[seen]] == semantic.guard[node[position[seen]]]
    like = similarity[seen]
    # From `refresh_min` on it would be refreshed, were the guard equal.
    is_far = (like < semantic.lowest_ppb) | (is_same & (like < semantic.serve_min_ppb))
    why[seen] = np.where(is_far, IS_BELOW, np.where(is_same, NOTHING_NEAR, IS_REFUSED))
    return Missed(why, position, similarity)


def _nearest(semantic: SemanticCache, calls: Calls, node: Int, kept: Int, asked: Int) -> tuple[Int, Int]:
    """Of each asked call the entry of the nearest prompt that has a live one then, and its similarity."""
    count, graph = calls.count, semantic.graph
    position, similarity = np.full(count, NONE, dtype=np.int64), np.full(count, NONE, dtype=np.int64)
    if not len(kept) or not len(graph.neighbour):
        return position, similarity
    order = kept[np.argsort(node[kept], kind="stable")]
    keys = node[order] * count + order  # entries by prompt and then by time
    until_us = calls.time_us[order] + np.asarray(semantic.ttl_us)[order]
    place, end = graph.offsets[node[asked]], graph.offsets[node[asked] + 1]
    for rank in range(RANKS):
        is_left: Flag = place + rank < end
        asked, place, end = asked[is_left], place[is_left], end[is_left]
        if not len(asked):
            break
        other = graph.neighbour[place + rank].astype(np.int64)
        entry = np.searchsorted(keys, other * count + asked) - 1
        is_live = (entry >= 0) & (keys[entry] >= other * count) & (calls.time_us[asked] < until_us[entry])
        position[asked[is_live]] = order[entry[is_live]]
        similarity[asked[is_live]] = graph.similarity_ppb[place + rank][is_live]
        asked, place, end = asked[~is_live], place[~is_live], end[~is_live]
    return position, similarity
