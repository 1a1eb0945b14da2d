"""Claims of the semantic cache and of learned routing: near pairs, lifetimes, sweeps, a second run, the router."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from threadpoolctl import threadpool_limits

from tests.benchmarks import learned, semantic
from tests.benchmarks.logs import text_log
from tests.benchmarks.measure import Claim, costctl, processor_s
from tests.support import ROOT, SHARED

STORY = ROOT / "sample_logs" / "story.jsonl.gz"
POLICY = """version: 1
tiers: {A: {models: [gpt-4o-mini]}}
routing: {default: logged}
cache: {semantic: {serve_min: 0.9, ttl: 24h}}
"""
OTHER = POLICY.replace("0.9", "0.93").replace("24h", "12h")


def neighbour_claims(scale: int) -> Iterator[Claim]:
    """Exact near pairs, beside plain products and an index; a tenth of them is no claim: starting takes its time."""
    count = 100_000 // scale
    told = semantic.neighbours_beside(count)
    ours_s = told["ours_s"]
    ratio = told["blas_s"] / ours_s
    yield Claim(
        f"near pairs of {count:,} prompts, blocked BLAS times ours",
        f"{ratio:.1f} x ({ours_s:.2f} s)",
        "2 x",
        ratio >= 2 if scale == 1 else None,
    )
    yield Claim(
        "  pairs that plain products find and we do not", f"{told['blas_pairs'] - told['ours_pairs']:,.0f}", "", None
    )
    if "usearch_s" in told:
        ratio = told["usearch_s"] / ours_s
        yield Claim("  usearch HNSW times ours", f"{ratio:.1f} x ({told['usearch_s']:.2f} s)", "1 x", ratio >= 1)
    count = 434_000 // scale
    peak = semantic.peak_mib_of_neighbours(count)
    yield Claim(f"  peak memory of {count:,}", f"{peak:,.0f} MiB", "1,536 MiB", peak <= 1536)


def cache_claims(scale: int) -> Iterator[Claim]:
    """A lifetime against none, and many policies against one, with loops over an index beside them."""
    told = semantic.band_beside(1_000_000 // scale, 700_000 // scale)
    ratio = told["all_s"] / told["band_s"]
    name = f"lifetime of a day, {1_000_000 // scale:,} requests: unbounded times it"
    yield Claim(name, f"{ratio:.1f} x ({told['band_s']:.2f} s)", "5 x", ratio >= 5)
    yield Claim("  requests decided otherwise", f"{told['differences']:,.0f}", "0", told["differences"] == 0)
    told = semantic.sweep_beside(80_000 // scale, 60_000 // scale)
    ratio = told["sweep_over_one_plain"]
    whole_s = told["join_s"] + told["hundred_s"]
    yield Claim(
        "100 policies and join, times one in plain Python", f"{ratio:.2f} x ({whole_s:.2f} s)", "3 x", ratio <= 3
    )
    for loop in ("hnswlib", "faiss"):
        if f"{loop}_one_s" in told:
            ratio = 100 * told[f"{loop}_one_s"] / whole_s
            shown = f"{ratio:,.0f} x ({told[f'{loop}_one_s']:.2f} s each)"
            yield Claim(f"  100 loops over {loop}, times ours", shown, "100 x", ratio >= 100)


def again_claims(folder: Path, rows: int) -> Iterator[Claim]:
    """A second simulate with a semantic cache, of another threshold and lifetime, in seconds of the processor."""
    for name, text in (("near", POLICY), ("nearer", OTHER)):
        (folder / f"{name}.yaml").write_text(text, "utf-8")
    for name, log in (("the story", STORY), (f"{rows:,} lines with text", text_log(folder / "near.jsonl", rows))):
        shutil.rmtree(folder / ".costctl", ignore_errors=True)
        first = processor_s(costctl("simulate", str(log), "--policy", "near.yaml"), folder)
        second = processor_s(costctl("simulate", str(log), "--policy", "nearer.yaml"), folder)
        shown = f"{second / first:.2f} x ({second:.2f} / {first:.2f} s)"
        yield Claim(f"semantic simulate of {name}, again, times first", shown, "0.3 x", second <= 0.3 * first)


def learned_claims() -> Iterator[Claim]:
    """Prompts a second from text to gain; nothing without the shared questions."""
    if not (SHARED / "data" / "routellm_mmlu").is_dir():
        return
    with threadpool_limits(1):
        rate = learned.prompts_per_second(learned.mmlu())
    yield Claim("learned router, prompts a second on one core", f"{rate:,.0f}", "1,000", rate >= 1000)
