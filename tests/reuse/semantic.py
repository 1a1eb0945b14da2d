"""A semantic cache the slow way: every live entry is compared with every request."""

from __future__ import annotations

from datetime import UTC, datetime
from math import sqrt
from typing import Any

import numpy as np

from costctl.reuse.semantic_cache import SemanticPolicy


def brute(vectors: Any, text: Any, scope: Any, requests: Any, policy: SemanticPolicy) -> list[tuple[int, int, int]]:
    """(outcome, answered by, similarity) of each request, from the definition alone.

    The entries are a list in order of use: (node, position of the request, end of life).
    """
    table = vectors.astype(np.float64)
    length = np.sqrt((table * table).sum(axis=1))
    entries: list[tuple[int, int, int]] = []
    told = []
    for position in range(requests.count):
        node, time = int(requests.visits.node[position]), int(requests.visits.times_us[position])
        if node < 0:
            told.append((0, -1, -1))
            continue
        best = _best(table, length, text, scope, requests.guard, policy, entries, node, time)
        outcome = 0
        if best is not None:
            entry = best[2]
            entries.remove(entry)
            entries.append(entry)
            outcome = 1 if best[0] >= policy.serve_min_ppb else 2
        told.append((outcome, -1, -1) if best is None else (outcome, best[2][1], best[0]))
        if requests.is_kept[position] and (outcome == 0 or (outcome == 2 and policy.is_refresh_kept)):
            entries = [entry for entry in entries if entry[0] != node]
            entries.append((node, position, time + _ttl(time, policy)))
            if policy.capacity is not None and len(entries) > policy.capacity:
                del entries[0]
    return told


def _best(
    table: Any,
    length: Any,
    text: Any,
    scope: Any,
    guard: Any,
    policy: SemanticPolicy,
    entries: Any,
    node: int,
    time: int,
) -> Any:
    live = [
        entry for entry in entries
        if time < entry[2] and scope[entry[0]] == scope[node]
        and (not policy.is_guarded or guard[entry[0]] == guard[node])
    ]  # fmt: skip
    found = []
    if live:
        dots = table[text[[entry[0] for entry in live]]] @ table[text[node]]
        for dot, entry in zip(dots.tolist(), live, strict=True):
            product = length[text[entry[0]]] ** 2 * length[text[node]] ** 2
            similarity = round(dot / sqrt(round(product)) * 1_000_000_000) if product else 0
            is_self = entry[0] == node
            if is_self or similarity >= policy.lowest_ppb:
                found.append((1_000_000_000 if is_self else similarity, is_self, entry))
    if not found:
        return None
    return min(found, key=lambda one: (not one[1], -one[0], one[2][0]))


def _ttl(time: int, policy: SemanticPolicy) -> int:
    month = datetime.fromtimestamp(time / 1_000_000, UTC).month
    return next((ttl for months, ttl in policy.ttls if months is None or month in months), 0)
