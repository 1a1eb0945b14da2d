"""What a semantic cache does on real labelled requests, in English and Spanish."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from costctl.reuse.embed import WORDLLAMA, WORDS, embed
from costctl.reuse.false_hits import UNKNOWN, by_answers, by_labels, false_hits
from costctl.reuse.semantic_cache import replay
from costctl.reuse.vectors import similarity_ppb, squared_norms
from tests.benchmarks import semantic_truth
from tests.benchmarks.semantic_truth import Answered, bitext, pairs_both_ways, support
from tests.reuse.sets import SETS, near_hits, policy, spanish_mtod, stream
from tests.support import needs_shared

pytestmark = [needs_shared, pytest.mark.shared]


def rates(made, serve_min_ppb: int, *, is_guarded: bool):
    """Hits and the strict rate of wrong ones."""
    at, by = near_hits(replay(made.graph, made.requests, policy(serve_min_ppb, is_guarded=is_guarded)))
    found = false_hits(by_labels(made.strict, at, by), by, made.requests.count)
    return len(at), found.wrong_per_hit.estimate, found


@pytest.mark.parametrize("is_as_annotated", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_guard_halves_wrong_hits_on_spanish_slots_and_keeps_a_third(is_as_annotated: bool, seed: int) -> None:
    """At 0.90: at most half as often wrong as without, with at least 35% of the hits."""
    pytest.importorskip("tokenizers")
    made = stream(spanish_mtod(is_as_annotated=is_as_annotated), WORDLLAMA, 6_000, seed)
    open_hits, open_wrong, _ = rates(made, 900_000_000, is_guarded=False)
    hits, wrong, _ = rates(made, 900_000_000, is_guarded=True)
    assert open_wrong > 0.5
    assert wrong <= open_wrong / 2
    assert hits >= 0.35 * open_hits


@pytest.mark.parametrize("name", ["clinc150", "banking77", "bitext_support"])
def test_the_guard_leaves_ordinary_questions_most_of_their_hits(name: str) -> None:
    pytest.importorskip("tokenizers")
    made = stream(SETS[name](), WORDLLAMA, 6_000)
    open_hits, _, _ = rates(made, 900_000_000, is_guarded=False)
    hits, _, found = rates(made, 900_000_000, is_guarded=True)
    assert hits >= 0.7 * open_hits
    # A figure never comes without its interval, and never without the second rate.
    assert found.wrong_per_hit.low < found.wrong_per_hit.estimate < found.wrong_per_hit.high
    assert found.wrong_per_request.estimate == pytest.approx(found.wrong_per_hit.estimate * hits / made.requests.count)


def test_orders_are_told_apart_without_any_model() -> None:
    """Our own words see "order 113" beside "order 114" as near: the guard takes all such hits away."""
    made = stream(SETS["bitext_support"](), WORDS, 6_000)
    _, open_wrong, _ = rates(made, 850_000_000, is_guarded=False)
    _, wrong, _ = rates(made, 850_000_000, is_guarded=True)
    assert open_wrong > 0.1
    assert wrong < 0.02


@pytest.mark.parametrize("given", [bitext, support, pairs_both_ways])
def test_what_is_told_from_answers_holds_the_truth(given: Callable[[], Answered]) -> None:
    """Real questions with real answers; the labels are only the truth.

    In none of the three do answers tell near prompts apart: those to prompts that differ in a number, a time, a name or
    a "not" are alike as often as others. So nothing is told of the hits, and it is said why.
    """
    pytest.importorskip("tokenizers")
    made, answer, vectors = given()
    test = semantic_truth.tested(given())
    # No repeat in support was answered in other words, so how alike right answers are is not known there.
    assert test.has_power == (test.alike_of_reworded.trials == 0)
    for threshold in (800_000_000, 850_000_000, 900_000_000):
        for is_guarded in (False, True):
            at, by = near_hits(replay(made.graph, made.requests, policy(threshold, is_guarded=is_guarded)))
            verdicts = by_answers(vectors, answer, test, at, by)
            told = false_hits(verdicts, by, made.requests.count, test).wrong_per_hit
            is_judged = verdicts != UNKNOWN
            truth = by_labels(made.strict, at[is_judged], by[is_judged]).mean()
            assert told.low <= truth <= told.high
            assert told.estimate is None


def test_no_embedding_here_sees_across_languages() -> None:
    """So such repeats are not counted, and the report says so."""
    pairs = [("¿Cuánto cuesta?", "What's the price?"), ("¿Cómo cancelo mi pedido?", "How do I cancel my order?")]
    for name in (WORDS, WORDLLAMA):
        if name == WORDLLAMA:
            pytest.importorskip("tokenizers")
        vectors = embed([text for pair in pairs for text in pair], name).vectors
        found = similarity_ppb(vectors, squared_norms(vectors), np.array([0, 2]), np.array([1, 3]))
        assert (found < 600_000_000).all()
