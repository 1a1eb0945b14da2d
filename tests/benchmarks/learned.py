"""The tables of docs/learned-routing.md: `python -m tests.benchmarks.learned [--write]`, some ten minutes on one core.

`--quick` draws a twentieth of the resamples; `--domains` prints what is lost on domains that the labels lack.
Every router is judged on requests that it has not learned from.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from costctl.evaluate.bounds import promise
from costctl.evaluate.curve import Quality
from costctl.evaluate.fit import Sample, calibration, fit, gains, with_calibration
from costctl.evaluate.judge import Judged, crossed_parts, folds_of, group_folds_of, judge, judge_on
from costctl.evaluate.labelled_file import fields_of, read_labelled
from costctl.evaluate.labels import Labels, Pair
from costctl.tiers.learned import Router, goes_dear, score, score_texts
from tests.support import ROOT, SHARED

PAGE = ROOT / "docs" / "learned-routing.md"
SEED = 7
RESAMPLES = 200
BOUNDS = (0.02, 0.05, 0.10)
ROUTERS = ("learned", "length alone", "TF-IDF alone", "kNN", "random", "oracle")


def shared_labels(name: str, file: str) -> Labels:
    """A public data set with the answers of a weak and a strong model."""
    fields = fields_of(["cheap_score=weak_correct", "dear_score=strong_correct", "group=domain"])
    return read_labelled(SHARED / "data" / name / file, fields, Pair(None, None))


def mmlu() -> Labels:
    """7,658 questions of 29 domains."""
    return shared_labels("routellm_mmlu", "mmlu_weak_strong.jsonl.gz")


def gsm8k() -> Labels:
    """660 questions of school mathematics."""
    return shared_labels("routellm_gsm8k", "gsm8k_weak_strong.jsonl.gz")


def in_fold(labels: Labels) -> list[Judged]:
    """Five folds."""
    return judge(labels.sample, labels.texts, folds_of(labels.sample.inputs.count, SEED, labels.texts), "", SEED)


def unseen(labels: Labels) -> list[Judged]:
    """Ten groups of whole domains, each judged by what the others teach."""
    assert labels.groups is not None
    return judge(labels.sample, labels.texts, group_folds_of(labels.groups, SEED), "", SEED)


def learned_router(sample: Sample) -> tuple[Router, np.ndarray]:
    """A router as `train-router` makes it, and what it said of its own labels out of fold."""
    parts = crossed_parts(sample, folds_of(sample.inputs.count, SEED))
    slopes, intercept = calibration(parts, sample.gain)
    return with_calibration(fit(sample), slopes, intercept), gains(parts, slopes, intercept)


def few(labels: Labels, count: int, runs: int) -> list[list[Judged]]:
    """So many labels drawn at random, judged on the rest."""
    found = []
    assert labels.texts is not None
    for run in range(runs):
        order = np.random.default_rng(run).permutation(labels.sample.inputs.count)
        learn, ask = np.sort(order[:count]), np.sort(order[count:])
        known, rest = labels.sample.take(learn), labels.sample.take(ask)
        said = score(learned_router(known)[0], rest.inputs)
        texts = [[labels.texts[at] for at in rows] for rows in (learn, ask)]
        found.append(judge_on(known, texts[0], rest, texts[1], said, "", SEED))
    return found


def carried(labels: Labels, other: Labels) -> list[Judged]:
    """Learned on one data set, judged on another."""
    said = score(learned_router(labels.sample)[0], other.sample.inputs)
    return judge_on(labels.sample, labels.texts, other.sample, other.texts, said, "", SEED)


def mean_of(runs: Sequence[Sequence[Judged]], router: str) -> Quality:
    """The mean figures of one router over runs."""
    found = [one.quality for run in runs for one in run if one.router == router and one.quality is not None]
    return Quality(*np.mean(np.array(found), axis=0).tolist())


def quality_table(first: Labels, second: Labels) -> Iterator[str]:
    """APGR / CPT50 / CPT80 of every router on every split."""
    splits = (
        ("MMLU, in fold (5 x 80 %)", [in_fold(first)]),
        ("MMLU, 1,500 labels (mean of 5 draws)", few(first, 1_500, 5)),
        ("MMLU, unseen domains (10 groups)", [unseen(first)]),
        ("GSM8K, in fold (5 x 80 %)", [in_fold(second)]),
        ("GSM8K, 400 labels (mean of 10 draws)", few(second, 400, 10)),
        ("MMLU to GSM8K", [carried(first, second)]),
    )
    yield "| split | " + " | ".join(ROUTERS) + " |"
    yield "|---" * (len(ROUTERS) + 1) + "|"
    for name, runs in splits:
        cells = (mean_of(runs, router) for router in ROUTERS)
        shown = (f"{one.apgr:.3f} / {one.cpt50_ratio:.1%} / {one.cpt80_ratio:.1%}" for one in cells)
        yield f"| {name} | " + " | ".join(shown) + " |"


def broken_promises(labels: Labels, count: int, resamples: int) -> dict[float, tuple[int, int, float, float]]:
    """By bound: resamples in which the loss on the rest is above it, those with a cheap share, mean share and loss."""
    found: dict[float, list[tuple[bool, float, float]]] = {bound: [] for bound in BOUNDS}
    for run in range(resamples):
        order = np.random.default_rng(1_000 + run).permutation(labels.sample.inputs.count)
        known, rest = labels.sample.take(np.sort(order[:count])), labels.sample.take(np.sort(order[count:]))
        router, own = learned_router(known)
        gain = score(router, rest.inputs)
        for bound, seen in found.items():
            is_cheap = gain < promise(own, known.gain, bound, 0.1).gain_below
            loss = float((rest.gain * is_cheap).mean())
            seen.append((loss > bound, float(is_cheap.mean()), loss))
    return {
        bound: (
            sum(is_broken for is_broken, _, _ in seen),
            sum(share > 0 for _, share, _ in seen),
            float(np.mean([share for _, share, _ in seen])),
            float(np.mean([loss for _, _, loss in seen])),
        )
        for bound, seen in found.items()
    }


def unseen_promises(labels: Labels) -> Iterator[str]:
    """Each domain left out in turn: what the threshold that the others chose loses there. No promise covers this."""
    groups = np.asarray(labels.groups)
    lost: dict[float, list[float]] = {bound: [] for bound in BOUNDS}
    for name in np.unique(groups):
        known, rest = (labels.sample.take(np.flatnonzero(is_in)) for is_in in (groups != name, groups == name))
        router, own = learned_router(known)
        gain = score(router, rest.inputs)
        for bound, losses in lost.items():
            is_cheap = gain < promise(own, known.gain, bound, 0.1).gain_below
            losses.append(float((rest.gain * is_cheap).mean()))
    for bound, losses in lost.items():
        above = sum(loss > bound for loss in losses)
        yield f"{bound:.0%}: above it in {above} of {len(losses)} domains, at most {max(losses):.1%}"


def promise_table(first: Labels, second: Labels, resamples: int) -> Iterator[str]:
    """How often the promised bound is broken on the requests that were not drawn."""
    yield f"| labels | bound on the loss | broken, of {resamples} | cheap share above 0 | cheap share | loss (means) |"
    yield "|---|---|---|---|---|---|"
    for name, labels, count in (("MMLU, 1,500", first, 1_500), ("GSM8K, 400", second, 400)):
        for bound, (broken, kept, share, loss) in broken_promises(labels, count, resamples).items():
            yield f"| {name} | {bound:.0%} | {broken} | {kept} | {share:.1%} | {loss:.2%} |"


def prompts_per_second(labels: Labels) -> float:
    """From text to gain, by seconds of the processor."""
    assert labels.texts is not None
    router = learned_router(labels.sample)[0]
    started = time.process_time()
    goes_dear(router, score_texts(router, labels.texts))
    seconds = time.process_time() - started
    return len(labels.texts) / seconds


def speed_line(labels: Labels) -> str:
    """Prompts a second on one core."""
    assert labels.texts is not None
    rate = prompts_per_second(labels)
    mean = sum(map(len, labels.texts)) / len(labels.texts)
    return f"{rate:,.0f} prompts a second on one core, of {mean:,.0f} characters on average (promised: 1,000)."


def page(resamples: int) -> dict[str, str]:
    """The parts of the page that are measured, by name."""
    first, second = mmlu(), gsm8k()
    return {
        "quality": "\n".join(quality_table(first, second)),
        "promises": "\n".join(promise_table(first, second, resamples)),
        "speed": speed_line(first),
    }


def main() -> int:
    """Print the parts, or put them between their marks in the page."""
    if "--domains" in sys.argv:
        with threadpool_limits(1):
            sys.stdout.write("\n".join(unseen_promises(mmlu())) + "\n")
        return 0
    with threadpool_limits(1):
        parts = page(RESAMPLES // 20 if "--quick" in sys.argv else RESAMPLES)
    if "--write" in sys.argv:
        text = PAGE.read_text("utf-8")
        for name, part in parts.items():
            before, rest = text.split(f"<!-- {name} -->\n", 1)
            after = rest.split(f"<!-- /{name} -->", 1)[1]
            text = f"{before}<!-- {name} -->\n{part}\n<!-- /{name} -->{after}"
        PAGE.write_text(text, "utf-8")
    sys.stdout.write("\n\n".join(parts.values()) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
