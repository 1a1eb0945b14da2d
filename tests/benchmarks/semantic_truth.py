"""What costctl says of wrong hits from answers alone, beside the truth by labels: tables of docs/semantic-cache.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from costctl.reuse.answer_power import separated, with_power
from costctl.reuse.embed import WORDLLAMA, embed
from costctl.reuse.false_hits import UNKNOWN, AnswerTest, answer_test, by_answers, by_labels, false_hits
from costctl.reuse.guards import guard_codes
from costctl.reuse.intervals import Share
from costctl.reuse.near_texts import ANSWER_CHARS, NOTHING
from costctl.reuse.neighbours import Visits, neighbours
from costctl.reuse.semantic_cache import Requests, nodes_of, sweep
from costctl.reuse.vectors import Int, Vectors
from tests.reuse.sets import Labelled, Stream, lines, near_hits, policy, stream

THRESHOLDS = (0.80, 0.85, 0.90, 0.95)
ANSWERS = "bitext_support/bitext_qa_pairs.jsonl.gz"


class Answered(NamedTuple):
    """A stream with the answer of each request: its row of the vectors, -1 none."""

    made: Stream
    answer: Int
    vectors: Vectors


def answered(made: Stream, said: list[str | None]) -> Answered:
    """A stream and its answers, cut as costctl cuts them."""
    numbers: dict[str, int] = {}
    kept = [None if one is None else one[:ANSWER_CHARS].strip() for one in said]
    answer = np.array([NOTHING if one is None else numbers.setdefault(one, len(numbers)) for one in kept])
    return Answered(made, answer, embed(list(numbers), WORDLLAMA).vectors)


def bitext() -> Answered:
    """3,058 customers' questions with the answer that each got; the truth is its intent and what it names."""
    rows = lines(ANSWERS)
    strict = [(row["intent"], row["entity_type"], row["entity_value"]) for row in rows]
    made = stream(Labelled([row["instruction"] for row in rows], strict, strict), WORDLLAMA, len(rows))
    order = np.random.default_rng(0).permutation(len(rows))
    return answered(made, [rows[at]["response"] for at in order.tolist()])


def support_rows() -> list[dict[str, Any]]:
    """Concierge and triage requests without a history that the log does not show, in order of time."""
    rows = [
        row for row in lines("support_bot/requests.jsonl.gz")
        if row["status"] == "ok" and row["app"] in {"concierge_chat", "ticket_triage"} and row["turn"] in {None, 1}
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (row["timestamp"], row["request_id"]))


def support_stream() -> Stream:
    """Those requests by app and system prompt; the labels are only the truth."""
    labels = {row["request_id"]: row for row in lines("support_bot/labels.jsonl.gz")}
    rows = support_rows()
    numbers: dict[str, int] = {}
    text = np.array([numbers.setdefault(row["messages"][-1]["content"], len(numbers)) for row in rows])
    scopes: dict[str, int] = {}
    scope = np.array([scopes.setdefault(str((row["app"], row["messages"][0]["content"])), len(scopes)) for row in rows])
    node, of_text, of_scope = nodes_of(text, scope)
    graph = neighbours(embed(list(numbers), WORDLLAMA).vectors, 800_000_000, text=of_text, scope=of_scope)
    times = np.array([row["timestamp"].rstrip("Z") for row in rows], dtype="datetime64[us]").astype(np.int64)
    requests = Requests(Visits(node, times), np.ones(len(rows), dtype=np.bool_), guard_codes(list(numbers))[of_text])
    keys: dict[str, int] = {}
    truth = np.array([keys.setdefault(labels[row["request_id"]]["answer_key"], len(keys)) for row in rows])
    return Stream(graph, requests, truth, truth)


def support() -> Answered:
    """support_bot has no answers; the Bitext part of its texts has real ones, which are put in."""
    known = {row["instruction"]: row["response"] for row in lines(ANSWERS)}
    return answered(support_stream(), [known.get(row["messages"][-1]["content"]) for row in support_rows()])


def origins_and_similars() -> Labelled:
    """gptcache_pairs: both wordings of each pair."""
    rows = lines("gptcache_pairs/mock_pairs.jsonl.gz")
    pairs: dict[str, int] = {}
    label = [pairs.setdefault(row["origin"], len(pairs)) for row in rows]
    return Labelled([row["origin"] for row in rows] + [row["similar"] for row in rows], label * 2, label * 2)


def pairs_both_ways() -> Answered:
    """gptcache_pairs as a log: each text is asked, and answered with the other wording of its pair."""
    rows = lines("gptcache_pairs/mock_pairs.jsonl.gz")
    said = [row["similar"] for row in rows] + [row["origin"] for row in rows]
    made = stream(origins_and_similars(), WORDLLAMA, len(said))
    order = np.random.default_rng(0).permutation(len(said))
    return answered(made, [said[at] for at in order.tolist()])


def tested(given: Answered) -> AnswerTest:
    """How alike answers are, with the power of that: as `NearTexts.test`, over the graph of the stream."""
    node, guard = given.made.requests.visits.node, given.made.requests.guard
    test = answer_test(given.vectors, given.answer, node)
    assert test is not None
    known = np.flatnonzero((given.answer >= 0) & (node >= 0))
    first = np.full(len(guard), NOTHING, dtype=np.int64)
    first[node[known][::-1]] = known[::-1]
    one, other = (first[nodes] for nodes in separated(given.made.graph, guard))
    has_both = (one >= 0) & (other >= 0)
    return with_power(test, given.vectors, given.answer, node, (one[has_both], other[has_both]))


def beside_truth(given: Answered) -> Iterator[str]:
    """One table: every threshold without and with the guard."""
    made, count = given.made, given.made.requests.count
    test = tested(given)
    wanted = [(threshold, guarded) for threshold in THRESHOLDS for guarded in (False, True)]
    policies = [policy(round(threshold * 1e9), is_guarded=guarded) for threshold, guarded in wanted]
    apart = test.alike_of_apart
    assert apart is not None
    shares = [share_of(one) for one in (test.alike_of_repeats, test.alike_of_unlike, apart)]
    yield (
        f"Alike are answers to repeats in {shares[0]}, to unlike prompts in {shares[1]}, to near prompts that the "
        f"guard separates in {shares[2]} of {apart.trials:,} pairs.\n"
    )
    yield "| threshold | guard | hits | judged | told, per hit | true of judged | of all | told, per request | true |"
    yield "|---|---|---:|---:|---:|---:|---:|---:|---:|"
    for (threshold, guarded), served in zip(wanted, sweep(made.graph, made.requests, policies), strict=True):
        at, by = near_hits(served)
        verdicts = by_answers(given.vectors, given.answer, test, at, by)
        told = false_hits(verdicts, by, count, test)
        truth, is_judged = by_labels(made.strict, at, by), verdicts != UNKNOWN
        per_hit, per_request = (shown(one) for one in (told.wrong_per_hit, told.wrong_per_request))
        cells = (
            f"{threshold:.2f}", "yes" if guarded else "no", f"{len(at) / count:.1%}", f"{is_judged.mean():.0%}",
            per_hit + missed(told.wrong_per_hit, float(truth[is_judged].mean())), f"{truth[is_judged].mean():.1%}",
            f"{truth.mean():.1%}", per_request, f"{truth.sum() / count:.2%}",
        )  # fmt: skip
        yield f"| {' | '.join(cells)} |"


def share_of(share: Share) -> str:
    """A share without its interval."""
    return "no" if share.estimate is None else f"{share.estimate:.0%}"


def missed(told: Share, truth: float) -> str:
    """A mark where the interval does not hold the truth."""
    return "" if told.low <= truth <= told.high else " **(missed)**"


def shown(share: Share) -> str:
    """An estimate with its interval, or as much as is known."""
    if share.estimate is not None:
        return f"{share.estimate:.1%} ({share.low:.1%} to {share.high:.1%})"
    return "not known" if share.high == 1 else f"not known, at most {share.high:.1%}"
