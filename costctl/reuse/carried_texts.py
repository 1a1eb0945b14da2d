"""Near prompts as a profile carries them: which texts are near and which answers say the same, without vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from costctl.formats.profile import SLOT_COUNT
from costctl.reuse.false_hits import RIGHT, UNKNOWN, WRONG, AnswerTest, Verdicts
from costctl.reuse.intervals import Share
from costctl.reuse.near_texts import NOTHING, NearTexts
from costctl.reuse.neighbours import Graph, Pairs, graph_of
from costctl.reuse.vectors import Int
from costctl.store import Store

NO_SHARE = (
    None,
    0.0,
    1.0,
    0,
    0.0,
)  # profiles of before do not tell of repeats in other words


@dataclass(frozen=True)
class CarriedTexts(NearTexts):
    """Texts of which only the pairs are known that are at least `lowest_ppb` near; there are no vectors."""

    pairs: Pairs  # of texts, the later number first
    lowest_ppb: int
    like: Int  # pairs of answers that say the same: the larger number << 32 | the smaller one, sorted
    carried_test: AnswerTest | None
    why_no_answers: str  # empty where it is known which answers are alike

    @property
    def why_unjudged(self) -> str:
        """Why the profile does not say which answers are alike; empty where it does."""
        return self.why_no_answers

    def test(self, answer: Int, node: Int, text: Int, scope: Int) -> AnswerTest | None:
        """The test of the log, made when the profile was written."""
        return self.carried_test

    def judged(self, answer: Int, test: AnswerTest, at: Int, answered_by: Int) -> Verdicts:
        """Each hit is right where the two answers are alike; without the two answers it is unknown."""
        one, other = answer[at], answer[answered_by]
        key = (np.maximum(one, other) << 32) | np.minimum(one, other)
        is_like = one == other
        if len(self.like):
            place = np.minimum(np.searchsorted(self.like, key), len(self.like) - 1)
            is_like |= self.like[place] == key
        return np.where((one < 0) | (other < 0), UNKNOWN, np.where(is_like, RIGHT, WRONG)).astype(np.int8)

    def graph(self, text: Int, scope: Int) -> Graph:
        """All pairs of nodes of one scope whose texts are near; `text` and `scope` go by node."""
        order = np.lexsort((scope, text))
        texts, scopes = text[order], scope[order]
        first = np.searchsorted(texts, self.pairs.one, side="left")
        counts = np.searchsorted(texts, self.pairs.one, side="right") - first
        pair = np.repeat(np.arange(len(counts)), counts)
        one = first[pair] + np.arange(len(pair)) - np.repeat(np.cumsum(counts) - counts, counts)
        wide = int(scope.max(initial=0)) + 1
        keys = texts.astype(np.int64) * wide + scopes
        wanted = self.pairs.other[pair].astype(np.int64) * wide + scopes[one]
        other = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
        is_there = keys[other] == wanted if len(keys) else np.zeros(len(pair), dtype=np.bool_)
        nodes = order[one[is_there]], order[other[is_there]]
        similarity = self.pairs.similarity_ppb[pair[is_there]]
        return graph_of(
            len(text), Pairs(np.maximum(*nodes).astype(np.int32), np.minimum(*nodes).astype(np.int32), similarity)
        )


def carried_texts(store: Store, told: Mapping[str, Any]) -> CarriedTexts:
    """What the profile that was audited last carries; `told` is what it says of its texts."""
    mine = "FROM profile_row WHERE file_id IN (SELECT file_id FROM report_file)"
    rows = store.numpy(
        f"SELECT file_id, source_line, coalesce(text_number, -1) AS text, coalesce(answer_number, -1) AS answer {mine} "
        "AND (text_number IS NOT NULL OR answer_number IS NOT NULL) ORDER BY file_id, source_line"
    )
    columns = {name: _whole(values) for name, values in rows.items()}
    hosts = store.numpy(
        f"SELECT text_number, guard, {', '.join(f'slots[{at + 1}] AS slot_{at}' for at in range(SLOT_COUNT))} {mine} "
        "AND guard IS NOT NULL"
    )
    count = int(columns["text"].max(initial=NOTHING)) + 1
    guard, slots = np.zeros(count, dtype=np.int64), np.full((SLOT_COUNT, count), NOTHING, dtype=np.int64)
    place = _whole(hosts["text_number"])
    guard[place] = _whole(hosts["guard"])
    for at in range(SLOT_COUNT):
        slots[at, place] = _whole(hosts[f"slot_{at}"])
    near = store.numpy(
        f"SELECT text_number AS one, unnest(near_texts) AS other, unnest(near_ppb) AS ppb {mine} "
        "AND near_texts IS NOT NULL ORDER BY source_line, other"
    )
    like = store.numpy(
        f"SELECT (CAST(answer_number AS BIGINT) << 32) | unnest(like_answers) AS pair {mine} "
        "AND like_answers IS NOT NULL"
    )
    none = np.zeros((0, 1), dtype=np.int8)
    return CarriedTexts(
        columns["file_id"], columns["source_line"], columns["text"], columns["answer"], none, guard, slots, none,
        np.array(told["embedding"]),
        Pairs(*(np.asarray(near[name]).astype(np.int32) for name in ("one", "other", "ppb"))),
        int(told["lowest_ppb"]), np.sort(_whole(like["pair"])), test_told(told["test"]), str(told["why_no_answers"]),
        differing_count=np.array(told.get("differing_count", 0)),
    )  # fmt: skip


def _whole(values: Any) -> Int:
    found: Int = np.asarray(values).astype(np.int64)
    return found


def test_told(said: Any) -> AnswerTest | None:
    """The test that `test_said` wrote."""
    if said is None:
        return None
    return AnswerTest(
        int(said["cut_ppb"]),
        Share(*said["repeats"]),
        Share(*said["unlike"]),
        Share(*said.get("reworded", NO_SHARE)),
        None if said.get("apart") is None else Share(*said["apart"]),
    )


def test_said(test: AnswerTest | None) -> dict[str, Any] | None:
    """A test as plain numbers; each comes back to the last digit."""
    if test is None:
        return None
    apart = test.alike_of_apart
    return {
        "cut_ppb": test.cut_ppb, "repeats": list(test.alike_of_repeats), "unlike": list(test.alike_of_unlike),
        "reworded": list(test.alike_of_reworded), "apart": None if apart is None else list(apart),
    }  # fmt: skip
