"""What the semantic cache came to: hits, and how many of them were wrong as far as the log's answers show."""

from __future__ import annotations

from copy import copy

import numpy as np

from costctl.replay.again import Found
from costctl.replay.calls import Flag, Int, plain
from costctl.replay.near import NearCalls, lacks_texts, near_calls
from costctl.replay.notes import Replay
from costctl.replay.plan import SEMANTIC_CACHE
from costctl.replay.scores_file import Scores
from costctl.report import Table, Value, Warning, counted
from costctl.reuse.embed import GIVEN
from costctl.reuse.false_hits import (
    HITS_MIN,
    UNKNOWN,
    FalseHits,
    Verdicts,
    at_most,
    by_fingerprints,
    by_labels,
    false_hits,
)
from costctl.reuse.intervals import Share
from costctl.reuse.near_said import near_warnings
from costctl.reuse.neighbours import Visits
from costctl.reuse.semantic_cache import Requests, SemanticPolicy, Served, sweep
from costctl.store import Store

NO_PROMPTS = "not identifiable: the log has no text of any prompt, so none can be compared"
FIGURES = ("semantic_hit_ratio", "semantic_refresh_ratio", "wrong_per_hit_ratio", "wrong_per_request_ratio")
MORE_LABELS = "label more requests, both of a hit: answer_label in --scores FILE"
CURVE_PPB = (800_000_000, 850_000_000, 900_000_000, 930_000_000, 960_000_000, 990_000_000, 1_000_000_000)


def answer_labels(store: Store, scores: Scores | None, count: int) -> Int:
    """The label of each call's right answer, from a file of scores; -1 where there is none."""
    found = np.full(count, -1, dtype=np.int64)
    said = {one.request_id: one.answer_label for one in (scores.lines if scores else ()) if one.answer_label}
    if not said:
        return found
    numbers = {label: number for number, label in enumerate(sorted(set(said.values())))}
    store.execute("CREATE OR REPLACE TEMP TABLE answer_label (request_id VARCHAR, label BIGINT)")
    store.insert("answer_label", ["request_id", "label"], [(one, str(numbers[label])) for one, label in said.items()])
    rows = store.numpy(
        "SELECT p.position, l.label FROM replay_place p JOIN request r USING (file_id, source_line) "
        "JOIN answer_label l USING (request_id) "
        # As with scores: an id of several calls names none of them.
        "WHERE request_id IN (SELECT request_id FROM replay_call GROUP BY request_id HAVING count(*) = 1)"
    )
    found[plain(rows["position"])] = plain(rows["label"])
    return found


def unmatched_labels(labels: Int, scores: Scores | None) -> list[Warning]:
    """That a file has labels and none is of a request of this log."""
    said = sum(one.answer_label is not None for one in scores.lines) if scores is not None else 0
    if scores is None or not said or (labels >= 0).any():
        return []
    what = f"none of {counted(said, 'label')} of {scores.file} is of a request of this log: no request_id matches"
    return [Warning("W282", what, "ids: costctl sql 'FROM request'")]


def tell_near(store: Store, done: Replay, scores: Scores | None = None) -> Found:
    """Totals, the table `semantic_curve`, and what must be known of them; nothing without the stage."""
    found, semantic, made = Found(), done.plan.semantic, done.decisions
    if semantic is None:
        return _skipped() if lacks_texts(store) else found
    near, count = near_calls(store, done.calls.count), max(done.calls.count, 1)
    is_hit, is_refreshed = made.served_by == SEMANTIC_CACHE, made.is_refreshed
    found.tell("semantic_hit_ratio", int(np.count_nonzero(is_hit)) / count, "replayed")
    found.tell("semantic_refresh_ratio", int(np.count_nonzero(is_refreshed)) / count, "replayed")
    labels = answer_labels(store, scores, done.calls.count)
    at = np.flatnonzero(is_hit)
    answered_by = made.answered_by[at].astype(np.int64)
    judge = Judge(near, labels).best_of(at, answered_by)
    wrong = judge.rates(at, answered_by)
    rates = {"wrong_per_hit_ratio": wrong.wrong_per_hit, "wrong_per_request_ratio": wrong.wrong_per_request}
    for name, share in rates.items():
        if not len(at):
            found.missing[name] = "no hit"
        elif share.estimate is None:
            found.missing[name] = judge.why_none(wrong)
            if wrong.basis == "bounds":
                found.tell(f"{name}_low", share.low, "bounded")
                found.tell(f"{name}_high", share.high, "bounded")
        else:
            found.tell(name, share.estimate, "estimated")
            found.tell(f"{name}_low", share.low, "estimated")
            found.tell(f"{name}_high", share.high, "estimated")
    found.tables.append(_curve(done, judge))
    found.warnings += _warnings(done, near, wrong, is_hit, judge)
    if judge.is_by_answers and wrong.basis in {"answers", "bounds"}:
        found.warnings.append(_by_answers(wrong, judge.apart))
    return found


def _skipped() -> Found:
    """Of a log without prompts: what is left out, and that the rest of the policy is replayed all the same."""
    said = "cache.semantic is skipped: it compares prompts, and this log has no text of any; the rest is replayed"
    hint = "log the prompts (messages), or their vectors with --embedding log"
    return Found(
        missing=dict.fromkeys((*FIGURES, "cache_hit_ratio"), NO_PROMPTS), warnings=[Warning("W269", said, hint)]
    )


class Judge:
    """Says of hits which were wrong: by labels where there are any, else by the answers that the log has.

    `best_of` takes answers in place of labels that judge too few of some hits.
    """

    def __init__(self, near: NearCalls, labels: Int) -> None:
        self._near, self._count, self._labels = near, len(labels), labels
        self.has_labels = bool((labels >= 0).any())
        self.labelled_hits: int | None = None  # of the hits for which answers took the place of labels
        # What passes for alike is a fact of the log, the same for every policy.
        has_answers = bool((near.answer >= 0).any())
        self._test = near.texts.test(near.answer, near.node, near.node_text, near.node_scope) if has_answers else None
        lacks = "" if has_answers else "the log has no answers"
        blind = near.texts.why_unjudged or (self._test.why_no_power if self._test else "")
        self.why_not = lacks or blind or ("" if self._test else "the log has too few answers")
        self.why = "not identifiable: " + (
            f"{lacks} to compare" if lacks else blind or "too few answers to tell alike from unlike"
        )

    @property
    def is_by_answers(self) -> bool:
        """Whether verdicts rest on how alike answers are."""
        return not self.has_labels and self._test is not None and not self._near.texts.why_unjudged

    def best_of(self, at: Int, answered_by: Int) -> Judge:
        """Itself, or a judge by answers where labels judge too few of these hits for a figure and answers can."""
        if not self.has_labels or self.labelled(at, answered_by) >= min(HITS_MIN, len(at)):
            return self
        return self.by_answers(self.labelled(at, answered_by)) or self

    def by_answers(self, labelled_hits: int) -> Judge | None:
        """A judge by answers alone, which says how many hits labels would have judged; None where answers cannot."""
        if self.why_not:
            return None
        other = copy(self)
        other.has_labels, other.labelled_hits = False, labelled_hits
        return other

    def labelled(self, at: Int, answered_by: Int) -> int:
        """Of how many of these hits both requests have a label."""
        return int(np.count_nonzero((self._labels[at] >= 0) & (self._labels[answered_by] >= 0)))

    def few_labels(self, hits: int, needed: int) -> list[Warning]:
        """That answers judge so many hits because labels judge too few; nothing where that is not so."""
        if self.labelled_hits is None:
            return []
        return [
            Warning(
                "W268",
                f"the labels judge {self.labelled_hits:,} of {counted(hits, 'hit')} of the semantic cache, "
                f"fewer than the {needed:,} that a figure needs: all are judged by the answers of the log instead",
                MORE_LABELS,
            )
        ]

    @property
    def apart(self) -> Share | None:
        """How often answers to near prompts are alike that the guard separates; None where too few show it."""
        return self._test.alike_of_apart if self._test else None

    def why_none(self, rates: FalseHits) -> str:
        """Why there is no estimate of these rates."""
        if self.has_labels:
            judged = f"the labels judge {rates.wrong_per_hit.trials:,} of {counted(rates.hits, 'hit')}"
            return f"not identifiable: {judged}, {min(HITS_MIN, rates.hits):,} are needed"
        if self.is_by_answers and rates.basis == "bounds":
            return "not identifiable: too few repeated prompts were answered in other words"
        if (
            self.is_by_answers
            and rates.wrong_per_hit.trials >= HITS_MIN
            and not (self._test and self._test.why_no_power)
        ):
            return (
                "not identifiable: answers to the hits are alike no more often than those to near prompts that differ "
                "in a number, time, name or not"
            )
        return self.why

    def verdicts(self, at: Int, answered_by: Int) -> Verdicts:
        """Right, wrong or unknown, of each hit and the call whose answer it got."""
        if self.has_labels:
            return by_labels(self._labels, at, answered_by)
        if self._near.texts.why_unjudged:
            return np.full(len(at), UNKNOWN, dtype=np.int8)
        if self._test is None:
            return by_fingerprints(self._near.answer, at, answered_by)
        return self._near.texts.judged(self._near.answer, self._test, at, answered_by)

    def rates(self, at: Int, answered_by: Int) -> FalseHits:
        """Wrong per hit and per call, with intervals."""
        verdicts = self.verdicts(at, answered_by)
        if self.has_labels:
            return false_hits(verdicts, answered_by, self._count)
        if self._test is None:  # no verdict could be wrong, so their share would be 0 whatever is true
            return at_most(verdicts, self._count)
        return false_hits(verdicts, answered_by, self._count, self._test)


def compared_by(near: NearCalls) -> list[Warning]:
    """By what the prompts were compared, and then what the vectors of a log leave open."""
    name = str(near.texts.name)
    return near_warnings(name, int(near.texts.differing_count), is_given=name.startswith(GIVEN))


def _curve(done: Replay, judge: Judge) -> Table:
    """The semantic cache alone at each threshold, over the calls that take part: what a higher one costs and saves."""
    semantic = done.plan.semantic
    assert semantic is not None
    node = np.asarray(semantic.node, dtype=np.int64)
    requests = Requests(Visits(node, done.calls.time_us), np.asarray(semantic.is_kept), semantic.guard)
    lowest = int(semantic.lowest_ppb)
    thresholds = sorted({at for at in CURVE_PPB if at >= lowest} | {semantic.serve_min_ppb})
    rows: list[tuple[Value, ...]] = []
    policies = [SemanticPolicy(at, semantic.ttls) for at in thresholds]
    for at_ppb, served in zip(thresholds, sweep(semantic.graph, requests, policies), strict=True):
        is_policy = at_ppb == semantic.serve_min_ppb
        rows.append((*_row(at_ppb, served, judge, max(done.calls.count, 1)), is_policy))
    columns = (
        "serve_min", "semantic_hit_count", "semantic_hit_ratio", "own_prompt_hit_count", "wrong_per_hit_ratio",
        "wrong_per_hit_ratio_low", "wrong_per_hit_ratio_high", "is_policy",
    )  # fmt: skip
    return Table.of("semantic_curve", columns, rows)


def _row(at_ppb: int, served: Served, judge: Judge, count: int) -> tuple[Value, ...]:
    at, answered_by = served.pairs()
    rates = judge.rates(at, answered_by)
    wrong: Share = rates.wrong_per_hit
    is_told = wrong.estimate is not None or rates.basis == "bounds"
    known: list[Value] = [wrong.estimate, wrong.low, wrong.high] if is_told else [None] * 3
    own = int(np.count_nonzero(served.is_own_prompt[at]))
    return (f"{at_ppb / 10**9:.2f}", len(at), len(at) / count, own, *known)


def _by_answers(wrong: FalseHits, apart: Share | None) -> Warning:
    judged = wrong.wrong_per_hit.trials
    rest = "" if judged == wrong.hits else f", {judged:,} of {wrong.hits:,}; the rest is taken to be like them"
    allows = (
        "and the interval does not allow for it"
        if apart is None or apart.estimate is None
        else f"as {apart.estimate:.0%} of {apart.trials:,} near pairs that differ so do; the interval allows for it"
    )
    return Warning(
        "W278",
        f"wrong hits are told by the two answers{rest}: one that reads like the right one (another date, another "
        f"order) passes for right, {allows}",
        "labels tell those: --scores FILE with request_id and answer_label",
    )


def _warnings(done: Replay, near: NearCalls, wrong: FalseHits, is_hit: Flag, judge: Judge) -> list[Warning]:
    semantic = done.plan.semantic
    assert semantic is not None
    by, *differing = compared_by(near)
    said = [
        by,
        Warning(
            "W231",
            "what embedding a prompt and looking it up cost and take is not in the log: 0 is counted",
            "put the store's price into the policy: fixed_costs: [{name: redis, usd_per_month: 60}]",
        ),
    ]
    said += [*differing, *judge.few_labels(wrong.hits, min(HITS_MIN, wrong.hits))]
    if is_hit.any() and wrong.wrong_per_hit.estimate is None:
        said.append(
            Warning("W232", "no figure here says how many of the hits of the semantic cache are wrong answers",
                    f"{MORE_LABELS if judge.has_labels else 'log the answers'}, or look at some: "
                    "costctl explain-request ID")
        )  # fmt: skip
    out = int(np.count_nonzero((near.prompt >= 0) & (np.asarray(semantic.node) < 0)))
    if out:
        said.append(
            Warning("W233", f"{counted(out, 'call takes', 'calls take')} no part in the semantic cache: later turns, "
                            "images, personal data, excluded or without a time")
        )  # fmt: skip
    return said
