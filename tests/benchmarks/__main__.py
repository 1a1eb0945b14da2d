"""All claims of speed, each beside a named baseline of the same run: `python -m tests.benchmarks`.

`--quick` uses a tenth of the rows. Prints one line per claim: measured, target, kept or not. usearch, hnswlib and faiss
are measured where they are installed, the learned router where the shared questions are.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import numpy as np

from costctl.formats import detect, normalise, parse, worker
from costctl.formats.options import Options
from costctl.formats.sources import Source
from costctl.formats.tasks import line_tasks
from costctl.prices.book import load_book
from costctl.prices.cost import apply_prices, priced_query
from costctl.request import COLUMNS, SOURCE_COLUMNS
from costctl.store import Store
from costctl.tiers.rules import load_rules
from tests.benchmarks import replay, semantic_claims
from tests.benchmarks.folders import folder_against_file
from tests.benchmarks.logs import MODELS, lean_log, text_log
from tests.benchmarks.measure import Claim, costctl, measured, timed

BARE = """
import duckdb
connection = duckdb.connect("bare.duckdb")
connection.execute('''CREATE OR REPLACE TABLE log AS SELECT * FROM read_ndjson(?, columns={
    request_id: 'VARCHAR', timestamp: 'TIMESTAMP', provider: 'VARCHAR', model: 'VARCHAR', endpoint: 'VARCHAR',
    user_id: 'VARCHAR', team: 'VARCHAR', messages: 'STRUCT(role VARCHAR, content VARCHAR)[]', response: 'VARCHAR',
    latency_ms: 'DOUBLE', status: 'VARCHAR',
    usage: 'STRUCT(prompt_tokens BIGINT, completion_tokens BIGINT, prompt_tokens_details STRUCT(cached_tokens BIGINT))'
})''', [FILE])
"""


def best(runs: int, work: Callable[[], float]) -> float:
    """The least of several runs: noise only ever adds."""
    return min(work() for _ in range(runs))


def audit_claims(folder: Path, rows: int) -> Iterator[Claim]:
    """The whole audit of a log with text, beside bare DuckDB on the same file."""
    log = text_log(folder / "text.jsonl", rows)
    bare_script = folder / "bare.py"
    bare_script.write_text(BARE.replace("FILE", repr(str(log))), "utf-8")

    command = costctl("audit", str(log), "--output", "json")

    def bare() -> float:
        (folder / "bare.duckdb").unlink(missing_ok=True)
        return timed([sys.executable, str(bare_script)], folder)

    def whole() -> float:
        shutil.rmtree(folder / ".costctl", ignore_errors=True)
        return timed(command, folder)

    bare_s, whole_s = best(3, bare), best(3, whole)
    again_s = best(3, lambda: timed(command, folder))
    shutil.rmtree(folder / ".costctl", ignore_errors=True)
    peak_mib = measured(command, folder).peak_mib
    size = f"{rows:,} lines with text, {log.stat().st_size / 2**20:.0f} MiB"
    yield Claim(f"bare DuckDB on {size}", f"{bare_s:.2f} s", "", None)
    yield Claim(
        "whole audit, times bare DuckDB", f"{whole_s / bare_s:.2f} x ({whole_s:.2f} s)", "4.0 x", whole_s / bare_s <= 4
    )
    yield Claim("peak memory of it", f"{peak_mib:.0f} MiB", "1,024 MiB", peak_mib < 1024)
    yield Claim("second audit, times the first", f"{again_s / whole_s:.3f} x", "0.2 x", again_s / whole_s <= 0.2)
    yield from stage_figures(log, folder)


def stage_figures(log: Path, folder: Path) -> Iterator[Claim]:
    """Where the reading time goes, in one process over a tenth of the file."""
    source = Source(log, log.name, True)
    plan = worker.Plan(detect.recognise(source), Options(load_rules(), b"k" * 32))
    tasks = list(line_tasks(source))[:4]
    spent = {"parse and take": 0.0, "features and checks": 0.0, "write": 0.0}
    rows = 0
    for number, task in enumerate(tasks):
        started = time.perf_counter()
        parsed = parse.parse_task(task, plan.log_format, parse.Gathered(plan.log_format, plan.options.hash_key))
        parsed_at = time.perf_counter()
        batch = normalise.normalise(parsed.gathered, parsed.lines, plan.log_format, plan.options)
        typed_at = time.perf_counter()
        worker.write_rows(batch.rows, number, folder / "stage.parquet")
        spent["parse and take"] += parsed_at - started
        spent["features and checks"] += typed_at - parsed_at
        spent["write"] += time.perf_counter() - typed_at
        rows += parsed.gathered.height
    for name, seconds in spent.items():
        yield Claim(f"  {name}, one process", f"{seconds / rows * 1e6:.1f} µs a line", "", None)


def folder_claims(folder: Path, count: int) -> Iterator[Claim]:
    """A folder of transcripts, beside one file of its size."""
    many_s, one_s = folder_against_file(folder / "transcripts", count)
    name = f"audit of {count:,} transcripts, times one file of all"
    yield Claim(name, f"{many_s / one_s:.2f} x ({many_s:.2f} s)", "3 x", many_s <= 3 * one_s)


def lean_claims(folder: Path, rows: int) -> Iterator[Claim]:
    """A large log without text."""
    log = lean_log(folder / "lean.jsonl", rows)
    shutil.rmtree(folder / ".costctl", ignore_errors=True)
    run = measured(costctl("audit", str(log), "--output", "json"), folder)
    yield Claim(
        f"peak memory of {rows:,} lean lines",
        f"{run.peak_mib:,.0f} MiB in {run.seconds:.0f} s",
        "2,048 MiB",
        run.peak_mib <= 2048,
    )


def price_claims(rows: int, sample: int) -> Iterator[Claim]:
    """Our join beside genai_prices.calc_price called per row."""
    from genai_prices import Usage, calc_price

    store = Store.in_memory()
    columns = ", ".join(f'"{column.name}" {column.type}' for column in (*SOURCE_COLUMNS, *COLUMNS))
    store.execute(f"CREATE TABLE source ({columns})")
    names = ", ".join(f"'{model}'" for model in MODELS)
    store.execute(
        "INSERT INTO source (source_line, response_model, started_at, status, usage_source, input_uncached_tokens, "
        f"cache_read_tokens, output_tokens) SELECT i, [{names}][i % 4 + 1], TIMESTAMP '2026-03-01' + to_seconds(i), "
        f"'ok', 'provider', i % 5000, i % 100, i % 700 FROM range({rows}) t(i)"
    )
    book = load_book()

    def ours() -> float:
        sql, params = priced_query(store, source="source", book=book)
        started = time.perf_counter()
        store.query(f"SELECT sum(list_cost_usd) FROM ({sql})", params)
        return time.perf_counter() - started

    def whole() -> float:
        started = time.perf_counter()
        apply_prices(store, source="source", target="priced", book=book)
        return time.perf_counter() - started

    def theirs() -> float:
        moment = datetime.fromisoformat("2026-03-01T00:00:00+00:00")
        started = time.perf_counter()
        for i in range(sample):
            usage = Usage(input_tokens=i % 5000 + i % 100, cache_read_tokens=i % 100, output_tokens=i % 700)
            calc_price(usage, model_ref=MODELS[i % 4], genai_request_timestamp=moment)
        return time.perf_counter() - started

    theirs_us = best(3, theirs) / sample * 1e6
    ours_us, whole_us = best(5, ours) / rows * 1e6, best(3, whole) / rows * 1e6
    name = f"pricing {rows:,} requests, against calc_price"
    yield Claim(
        name,
        f"{theirs_us / ours_us:,.0f} x ({ours_us:.3f} / {theirs_us:.0f} µs)",
        "1,000 x",
        theirs_us / ours_us >= 1000,
    )
    yield Claim("  and writing the priced table", f"{theirs_us / whole_us:,.0f} x ({whole_us:.3f} µs)", "", None)


def replay_claims(folder: Path, rows: int) -> Iterator[Claim]:
    """The replay through every stage, beside a plain loop of the same policy; all LRU sizes beside one."""
    workspace = folder / "replay.duckdb"
    replay.build(workspace, rows)
    ours_s = best(2, lambda: replay.ours(workspace, replay.POLICY))
    plain_s = replay.plain_loop(workspace, rows // 5) * 5
    peak = measured([sys.executable, "-m", "tests.benchmarks.replay", str(workspace)], Path.cwd()).peak_mib
    kept = ours_s <= 8 * rows / 1e6
    yield Claim(f"simulate {rows:,} calls, every stage", f"{ours_s:.2f} s", f"{8 * rows / 1e6:.1f} s", kept)
    yield Claim("peak memory of it", f"{peak:,.0f} MiB", "1,024 MiB", peak <= 1024)
    yield Claim("plain loop of the same policy, times ours", f"{plain_s / ours_s:.1f} x", "5 x", plain_s / ours_s >= 5)
    swept_s = best(2, lambda: replay.swept(workspace, replay.POLICY))
    ratio = f"{swept_s / ours_s:.2f} x ({swept_s:.2f} s)"
    yield Claim("sweep of 100 lifetimes and sizes, times one policy", ratio, "3 x", swept_s <= 3 * ours_s)
    log = text_log(folder / "replayed.jsonl", rows // 20)
    for name, text in (("one", replay.POLICY), ("other", replay.OTHER)):
        (folder / f"{name}.yaml").write_text(text, "utf-8")
    shutil.rmtree(folder / ".costctl", ignore_errors=True)
    first = timed(costctl("simulate", str(log), "--policy", "one.yaml"), folder)
    second = timed(costctl("simulate", str(log), "--policy", "other.yaml"), folder)
    yield Claim("simulate of another policy, times the first", f"{second / first:.2f} x", "0.5 x", second <= first / 2)
    keys = np.random.default_rng(7).zipf(1.2, rows) % 300_000
    everything, one = best(2, lambda: replay.lru_all(keys)), best(2, lambda: replay.lru_once(keys, 50_000))
    yield Claim("LRU at all sizes, times one size", f"{everything / one:.2f} x", "2 x", everything <= 2 * one)


def help_claims() -> Iterator[Claim]:
    """How soon the command line answers."""

    def answer() -> float:
        started = time.perf_counter()
        subprocess.run(costctl("--help"), capture_output=True, check=True)
        return time.perf_counter() - started

    seconds = best(7, answer)
    yield Claim("costctl --help", f"{seconds:.2f} s", "0.30 s", seconds <= 0.3)


def main() -> int:
    """Print every claim; 1 if one is not kept."""
    scale = 10 if "--quick" in sys.argv else 1
    failed = 0
    with tempfile.TemporaryDirectory(prefix="costctl-bench-") as name:
        folder = Path(name)
        parts = (
            help_claims(),
            price_claims(1_000_000 // scale, 3000),
            replay_claims(folder, 1_000_000 // scale),
            semantic_claims.neighbour_claims(scale),
            semantic_claims.cache_claims(scale),
            semantic_claims.again_claims(folder, 20_000 // scale),
            semantic_claims.learned_claims(),
            audit_claims(folder, 300_000 // scale),
            folder_claims(folder, 2_000),
            lean_claims(folder, 5_000_000 // scale),
        )
        for claim in (claim for part in parts for claim in part):
            mark = {True: "kept", False: "NOT KEPT", None: ""}[claim.kept]
            sys.stdout.write(f"{claim.name:<58} {claim.measured:<32} {claim.target:>10}  {mark}\n")
            sys.stdout.flush()
            failed += claim.kept is False
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
