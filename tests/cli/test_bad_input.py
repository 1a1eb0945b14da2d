"""Bad input: a clear error or a counted rejection, never a traceback, never a lost or doubled row."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from costctl.audit.queries import rejected_records
from costctl.cli import run
from costctl.policy.parts import PARTS
from costctl.policy.when import NUMBERS, TEXTS
from tests.support import audited, rows, was_read

GOOD = {
    "request_id": "r1",
    "timestamp": "2026-03-02T10:00:00Z",
    "model": "gpt-4o",
    "input_tokens": 1000,
    "output_tokens": 100,
}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def log(*lines: Any, name: str = "log.jsonl") -> Path:
    path = Path(name)
    path.write_bytes(
        b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    )
    return path


def good(**changes: Any) -> dict[str, Any]:
    return {**GOOD, **changes}


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = run(list(arguments))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    return code, captured.err


@pytest.mark.parametrize(
    ("line", "ends"),
    [
        ("routing: {rules: [{name: x, when: {keywords: [x]}, to: A}]}", ("word_count", "not")),
        ("export: {targets: [portkey], accept_loss: [portkey]}", ("tiers", "experiments")),
    ],
)
def test_a_list_of_what_is_known_is_told_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, ends: tuple[str, str]
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(f"version: 1\ntiers: {{A: {{models: [gpt-4o]}}}}\n{line}\n", "utf-8")
    assert run(["policy", "check", str(policy)]) == 2
    first, *rest = capsys.readouterr().err.splitlines()
    listed = rest[: next((at for at, one in enumerate(rest) if not one.startswith("    ")), len(rest))]
    names = " ".join(one.strip() for one in listed).split(", ")
    assert first.endswith("; known:")
    assert (names[0], names[-1]) == ends
    assert all(len(one) <= 80 for one in listed) and "…" not in "".join(listed)
    expected = [*TEXTS, *NUMBERS] if ends[1] == "not" else PARTS
    assert set(expected) <= set(names)


def test_missing_file_names_similar_ones(capsys: pytest.CaptureFixture[str]) -> None:
    log(GOOD, name="logs-march.jsonl")
    code, text = refused(capsys, "audit", "logs-marc.jsonl")
    assert code == 3
    assert "E101" in text
    assert "logs-march.jsonl" in text


def test_empty_file(capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty.jsonl").touch()
    code, text = refused(capsys, "audit", "empty.jsonl")
    assert (code, "E120" in text, "0 bytes" in text) == (3, True, True)


def test_no_line_is_a_request(capsys: pytest.CaptureFixture[str]) -> None:
    log({"colour": "red", "size": 3}, {"colour": "blue", "size": 4})
    code, text = refused(capsys, "audit", "log.jsonl")
    assert (code, "E121" in text, "colour, size" in text, "--map" in text) == (3, True, True, True)


@pytest.mark.parametrize(
    ("head", "kind", "way_out"),
    [
        (b"%PDF-1.7\n1 0 obj\n", "a PDF document", "JSONL"),
        (b"7z\xbc\xaf\x27\x1c\x00\x04", "a 7z archive", "gzip, zstd"),
        (b"ARROW1\x00\x00", "an Arrow or Feather file", "Parquet"),
        (bytes(range(256)) * 8, "", "JSONL"),
    ],
)
def test_a_file_that_is_no_text_is_named_by_its_first_bytes(
    head: bytes, kind: str, way_out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("log.jsonl", "log.csv"):
        Path(name).write_bytes(head)
        code, text = refused(capsys, "audit", name)
        assert (code, "E121" in text, head[:8].hex(" ") in text) == (3, True, True)
        assert kind in text
        assert way_out in text
        assert "\\x" not in text


def test_a_zero_byte_in_a_log_does_not_make_it_binary(tmp_path: Path) -> None:
    assert was_read(tmp_path, log(GOOD, b"\x00" * 600, good(request_id="r2"))).totals["request_count"] == 2


@pytest.mark.parametrize(
    ("name", "field"),
    [("timestamp", "started_at"), ("created_at", "started_at"), ("input", "input_tokens"),
     ("output", "output_tokens"), ("cost", "logged_cost"), ("model", "request_model")],
)  # fmt: skip
def test_a_usual_column_name_as_target_of_a_mapping_names_the_field(
    name: str, field: str, capsys: pytest.CaptureFixture[str]
) -> None:
    log(GOOD)
    code, text = refused(capsys, "audit", "log.jsonl", "--map", f"{name}=x")
    assert (code, "E130" in text, f"did you mean {field}=" in text) == (2, True, True)


def test_what_is_worked_out_from_texts_is_said_not_to_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    log(GOOD)
    code, text = refused(capsys, "audit", "log.jsonl", "--map", "intent=kind")
    assert (code, "E130" in text, "did you mean" in text) == (2, True, False)
    assert "intent is worked out from the text of the prompts, a log's own is never read" in text
    assert "--map endpoint=kind" in text


def test_a_mapping_that_finds_nothing_points_at_the_columns_of_the_log(tmp_path: Path) -> None:
    said = audited(tmp_path, log(GOOD), mapping=("team=squad",)).warnings
    assert [item.hint for item in said if item.code == "W115"] == [
        "what columns the log has: costctl formats check log.jsonl"
    ]


def test_text_that_is_no_log(capsys: pytest.CaptureFixture[str]) -> None:
    Path("notes.jsonl").write_text("Dear diary,\nnothing happened.\n", "utf-8")
    code, _ = refused(capsys, "audit", "notes.jsonl")
    assert code == 3


REJECTED = [
    (b'{"request_id": "r2", "model": "gpt-4o", "input_tok', "not valid JSON"),
    (b"not json at all", "not valid JSON"),
    (b"[1, 2, 3]", "a JSON list, not an object"),
    (b'"text"', "a JSON text, not an object"),
    (json.dumps(good(input_tokens=-5)).encode(), "input_tokens is negative"),
    (json.dumps(good(input_tokens=1.5)).encode(), "input_tokens is not a whole number"),
    (json.dumps(good(input_tokens=2**64)).encode(), "input_tokens is over 999,999,999"),
    (json.dumps(good(input_tokens=2**63)).encode(), "input_tokens is over 999,999,999"),
    (json.dumps(good(input_tokens="lots")).encode(), "input_tokens is not a whole number"),
    (json.dumps(good(output_tokens=True)).encode(), "output_tokens is not a number"),
    (json.dumps(good(cached_input_tokens=1001)).encode(), "cached tokens exceed input_tokens"),
    (json.dumps(good(timestamp="the other day")).encode(), "started_at is not a time"),
    (b'{"model": "gpt-4o\xff\xfe", "input_tokens": 1, "output_tokens": 1}', "not valid UTF-8"),
    (b'{"model": "gpt-4o", "input_tokens": 1, "x": ' + b"[" * 80 + b"]" * 80 + b"}", "nested deeper than 64"),
    (b'{"model": "gpt-4o", "input_tokens": 1, "x": ' + b"[ " * 80 + b"]" * 80 + b"}", "nested deeper than 64"),
    (b'{"model": "gpt-4o", "input_tokens": 1, "x": ' + b"[" * 5000 + b"]" * 5000 + b"}", "nested deeper than 64"),
    (
        b'{"model": "gpt-4o", "input_tokens": 1, "x": ' + b'[{"a":' * 33 + b"1" + b"}]" * 33 + b"}",
        "nested deeper than 64",
    ),
    (b'{"model": "gpt-4o", "input_tokens": NaN}', "not valid JSON"),
]


@pytest.mark.parametrize(("line", "reason"), REJECTED, ids=[reason for _, reason in REJECTED])
def test_a_bad_line_is_counted_with_its_place(tmp_path: Path, line: bytes, reason: str) -> None:
    path = log(GOOD, line, good(request_id="r3"))
    report = was_read(tmp_path, path)
    total = report.totals
    assert (total["records_read_count"], total["accepted_count"], total["rejected_count"]) == (3, 2, 1)
    (found,) = rows(report, "rejected")
    assert reason in found["reason"]
    assert found["source_line"] == 2
    assert any(item.code == "W110" and "log.jsonl:2: " in item.message for item in report.warnings)


def test_extreme_nesting_does_not_crash(tmp_path: Path) -> None:
    deep = b'{"model": "gpt-4o", "input_tokens": 1, "x": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001
    report = was_read(tmp_path, log(GOOD, deep))
    assert (report.totals["accepted_count"], report.totals["rejected_count"]) == (1, 1)


def test_giant_line_is_refused_and_the_rest_is_read(tmp_path: Path) -> None:
    giant = b'{"model": "gpt-4o", "x": "' + b"a" * (33 * 2**20) + b'"}'
    plain = log(GOOD, giant, good(request_id="r3"))
    packed = tmp_path / "packed.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes(), 1))
    for path in (plain, packed):
        report = was_read(tmp_path, path)
        assert (report.totals["accepted_count"], report.totals["rejected_count"]) == (2, 1)
        assert "longer than" in rows(report, "rejected")[0]["reason"]


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize(
    ("lines", "accepted", "rejected"),
    [
        ([b" " * (60 * 2**20), GOOD], 1, 0),  # a blank line is no record
        ([GOOD, b" " * (60 * 2**20), good(request_id="r2")], 2, 0),
        ([b" " * (60 * 2**20) + json.dumps(GOOD).encode(), good(request_id="r2")], 2, 0),
        ([GOOD, b" " * (60 * 2**20)], 1, 0),
        ([b'{"model": "' + b"a" * (60 * 2**20) + b'"}', b"a" * (40 * 2**20), GOOD], 1, 2),
    ],
)
def test_blanks_and_giant_lines_hide_no_record(
    tmp_path: Path, lines: list[Any], accepted: int, rejected: int, is_packed: bool
) -> None:
    path = log(*lines)
    if is_packed:  # stored, for a line of one letter expands like a bomb
        path = tmp_path / "packed.jsonl.gz"
        path.write_bytes(gzip.compress(Path("log.jsonl").read_bytes(), 0))
    report = was_read(tmp_path, path)
    assert (report.totals["accepted_count"], report.totals["rejected_count"]) == (accepted, rejected)
    assert report.totals["lines_read_count"] == len(lines)
    if not is_packed and rejected:
        found = rejected_records(tmp_path / "workspace" / "costctl.duckdb")
        offsets = [row["byte_offset"] for row in rows(found, "rejected")]
        assert offsets == [0, len(lines[0]) + 1]


def test_rejects_names_each_line_without_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    log(GOOD, b'{"secret": "do not print me", broken', good(request_id="r3"))
    assert run(["audit", "log.jsonl"]) == 0
    capsys.readouterr()
    assert run(["rejects", "--output", "json"]) == 0
    answer = capsys.readouterr().out
    (row,) = json.loads(answer)["tables"]["rejected"]
    assert (row["source_line"], row["byte_offset"]) == (2, len(json.dumps(GOOD)) + 1)
    assert "do not print me" not in answer


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_refused_value_is_placed_by_line_and_byte(capsys: pytest.CaptureFixture[str], mark: bytes) -> None:
    lines = [json.dumps(GOOD), "", json.dumps({**GOOD, "request_id": "r2", "input_tokens": -4}), json.dumps(GOOD)]
    path = Path("placed.jsonl")
    path.write_bytes(mark + "\n".join(lines).encode())
    assert run(["audit", "placed.jsonl"]) == 0
    capsys.readouterr()
    assert run(["rejects", "--output", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["tables"]["rejected"]
    assert (row["source_line"], row["reason"]) == (3, "input_tokens is negative")
    assert path.read_bytes()[row["byte_offset"] :].startswith(lines[2].encode())


def test_wrong_gzip_checksum_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    packed = bytearray(
        gzip.compress(b"".join(json.dumps(good(request_id=f"r{n}")).encode() + b"\n" for n in range(500)))
    )
    packed[-6] ^= 0xFF
    Path("bad.jsonl.gz").write_bytes(packed)
    code, text = refused(capsys, "audit", "bad.jsonl.gz")
    assert (code, "E112" in text) == (3, True)


def test_cut_gzip_keeps_whole_lines_and_says_so(tmp_path: Path) -> None:
    lines = b"".join(json.dumps(good(request_id=os.urandom(16).hex())).encode() + b"\n" for _ in range(2000))
    packed = gzip.compress(lines)
    Path("cut.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    report = was_read(tmp_path, "cut.jsonl.gz")
    assert 0 < report.totals["accepted_count"] < 2000
    assert report.totals["rejected_count"] == 1
    assert "cut" in rows(report, "rejected")[0]["reason"]


def test_cut_plain_file_gives_one_rejection(tmp_path: Path) -> None:
    path = log(GOOD, good(request_id="r2"))
    path.write_bytes(path.read_bytes()[:-20])
    total = was_read(tmp_path, path).totals
    assert (total["accepted_count"], total["rejected_count"]) == (1, 1)


def test_no_timestamps_is_accepted_and_counted(tmp_path: Path) -> None:
    undated = {key: value for key, value in GOOD.items() if key != "timestamp"}
    report = audited(tmp_path, log(undated))
    assert (report.totals["undated_count"], report.totals["accepted_count"]) == (1, 1)
    assert rows(report, "daily")[0]["day"] == "undated"
    assert any(item.code == "W131" for item in report.warnings)
    assert "first_at" in report.provenance["not_computed"]  # type: ignore[operator]


def test_what_nobody_counted_has_no_cost_of_nothing(tmp_path: Path) -> None:
    """A success without counts beside a failure that is not billed: their cost is unknown, not $0."""
    bare = {"request_model": "gpt-4o", "started_at": "2026-06-11T00:00:00Z"}
    report = audited(tmp_path, log({**bare, "request_id": "a", "status": "ok"},
                                   {**bare, "request_id": "b", "status": "error"}))  # fmt: skip
    for table in ("by_model", "daily", "baseline"):
        assert {row["list_cost_usd"] for row in rows(report, table)} == {None}, table


def test_two_currencies_are_not_added(tmp_path: Path) -> None:
    report = audited(tmp_path, log(good(cost=1.5, currency="USD"), good(request_id="r2", cost=2.5, currency="EUR")))
    assert str(report.totals["logged_cost_usd"]) == "1.500000000000"
    assert any(item.code == "W150" and "summed nor compared: 1 in EUR" in item.message for item in report.warnings)


def test_unknown_model_is_unpriced_never_free(tmp_path: Path) -> None:
    report = audited(tmp_path, log(GOOD, good(request_id="r2", model="ft:nobody-knows")))
    assert (report.totals["unpriced_count"], report.totals["free_count"], report.totals["priced_count"]) == (1, 0, 1)
    assert rows(report, "by_model")[1]["list_cost_usd"] is None
    assert any(item.code == "W201" and "ft:nobody-knows" in item.message for item in report.warnings)


def test_hostile_names_cannot_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b]0;owned\x07\x1b[31m<script>alert(1)</script>\u202e=cmd|' /C calc'!A0"
    log(good(model=evil, endpoint=evil, user=evil))
    for form in ("table", "markdown", "csv"):
        assert run(["audit", "log.jsonl", "--by", "endpoint", "--output", form]) == 0
        text = capsys.readouterr().out
        assert "\x1b" not in text
        assert "\x07" not in text
        assert "\u202e" not in text
    assert "<script>" not in text or form != "markdown"


def test_hostile_names_in_sql(tmp_path: Path) -> None:
    evil = "'; DROP TABLE request; --"
    report = audited(tmp_path, log(good(model=evil, endpoint=evil)), by=("endpoint",))
    assert rows(report, "by_endpoint")[0]["endpoint"] == evil


def test_ingesting_again_or_overlapping_adds_nothing(tmp_path: Path) -> None:
    first = log(*(good(request_id=f"r{n}") for n in range(20)), name="a.jsonl")
    second = log(*(good(request_id=f"r{n}") for n in range(10, 30)), name="b.jsonl")
    once = was_read(tmp_path, first, second).totals
    again = was_read(tmp_path, first, second, by=("user",)).totals
    assert (once["request_count"], once["merged_count"], once["records_read_count"]) == (30, 10, 40)
    assert again == once


def test_equal_lines_without_ids_are_two_requests_but_not_across_files(tmp_path: Path) -> None:
    bare = {key: value for key, value in GOOD.items() if key != "request_id"}
    one, two = log(bare, bare, name="a.jsonl"), log(bare, bare, bare, name="b.jsonl")
    assert was_read(tmp_path, one).totals["request_count"] == 2
    total = was_read(tmp_path, one, two).totals
    assert (total["request_count"], total["merged_count"]) == (3, 2)


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    path = log(GOOD)
    assert was_read(tmp_path, path).totals["request_count"] == 1
    log(GOOD, good(request_id="r2"))
    assert was_read(tmp_path, path).totals["request_count"] == 2


def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "costctl", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **environment}, start_new_session=True,
    )  # fmt: skip


def big_log(count: int) -> Path:
    path = Path("big.jsonl")
    with path.open("w", encoding="utf-8") as file:
        for n in range(count):
            file.write(json.dumps(good(request_id=f"r{n}", filler="x" * 100)) + "\n")
    return path


def test_two_processes_on_one_workspace(tmp_path: Path) -> None:
    big_log(20_000)
    both = [start("audit", "big.jsonl", "--output", "json") for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert json.loads(out)["totals"]["request_count"] == 20_000
    assert was_read(tmp_path, "big.jsonl", db=Path(".costctl/costctl.duckdb")).totals["request_count"] == 20_000


def test_interrupt_leaves_nothing_half_written(tmp_path: Path) -> None:
    big_log(150_000)
    process = start("audit", "big.jsonl")
    while not list(Path(".costctl").glob("tmp/run-*/rows-*.parquet")):  # the first rows are on their way
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "interrupted" in err
    assert "same command again" in err
    assert was_read(tmp_path, "big.jsonl", db=Path(".costctl/costctl.duckdb")).totals["request_count"] == 150_000


def test_ctrl_c_of_a_terminal_reaches_processes_that_are_just_starting() -> None:
    """A terminal sends it to all of them; those that have imported nothing yet must say nothing either."""
    big_log(60_000)
    codes = set()
    for wait_s in (0.5, 0.8, 1.1):
        process = start("audit", "big.jsonl")
        time.sleep(wait_s)
        os.killpg(process.pid, signal.SIGINT)  # it leads a session of its own
        _, err = process.communicate(timeout=30)
        assert "Traceback" not in err, (wait_s, err)
        codes.add(process.returncode)
    assert 130 in codes


def test_full_disk_is_said(tmp_path: Path) -> None:
    """A file size limit of the process stands for the disk."""
    big_log(60_000)
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2**19, 2**19));"
        "from costctl.cli import run; sys.exit(run(['audit', 'big.jsonl', '--threads', '1']))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 3, done.stderr
    assert "E170" in done.stderr
    assert "Traceback" not in done.stderr
    assert was_read(tmp_path, "big.jsonl", db=Path(".costctl/costctl.duckdb")).totals["request_count"] == 60_000


def test_closed_pipe_is_no_error() -> None:
    log(GOOD)
    command = f"{sys.executable} -m costctl audit log.jsonl --output json | head -c 10; exit ${{PIPESTATUS[0]}}"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["audit", "log.jsonl", "--by", "endpont"], 2, "E140"),
        (["audit", "log.jsonl", "--log-format", "litelm_payload"], 2, "litellm_payload"),
        (["audit", "log.jsonl", "--map", "inputtokens=x"], 2, "input_tokens"),
        (["audit", "log.jsonl", "--priced-at", "tomorrow"], 2, "E141"),
        (["audit", "log.jsonl", "--token-budget", "endpont=/chat:5M"], 2, "endpoint"),
        (["audit", "log.jsonl", "--slo", "/chat=fast"], 2, "E143"),
        (["audit", "log.jsonl", "--prices", "nowhere.yaml"], 2, "E201"),
        (["audit", "log.jsonl", "--tier-rules", "nowhere.yaml"], 2, "E310"),
        (["audit", "log.jsonl", "--nonsense"], 2, "nonsense"),
        (["rejects"], 3, "E162"),
    ],
)
def test_wrong_options_teach(capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, word: str) -> None:
    log(GOOD)
    found, text = refused(capsys, *arguments)
    assert (found, word in text) == (code, True), text


def test_sql_is_read_only_and_locked(capsys: pytest.CaptureFixture[str]) -> None:
    log(GOOD)
    assert run(["audit", "log.jsonl"]) == 0
    capsys.readouterr()
    assert run(["sql", "SELECT count(*) AS n FROM request", "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["tables"]["rows"] == [{"n": 1}]
    for statement in ("DROP TABLE request", "SELECT 1; SELECT 2", "COPY request TO 'x.csv'", "SELEC 1"):
        assert refused(capsys, "sql", statement)[0] == 2
    code, text = refused(capsys, "sql", "SELECT * FROM read_csv('/etc/passwd')")
    assert code == 2, text


def test_sql_tells_values_of_any_type(capsys: pytest.CaptureFixture[str]) -> None:
    """What JSON has no type for is text, what is no number is null; names of columns break out of no form."""
    log(GOOD)
    assert run(["audit", "log.jsonl"]) == 0
    capsys.readouterr()
    asked = (
        "SELECT DATE '2026-03-01' AS day, TIME '10:00:01' AS clock, INTERVAL 90 MINUTE AS span, 'ab'::BLOB AS bytes, "
        "[1, 2] AS list, {'a': DATE '2026-03-01', 'b': 1.50::DECIMAL(4,2)} AS pair, 'nan'::DOUBLE AS odd_usd, "
        "'inf'::DOUBLE AS odd_ms, '-inf'::FLOAT AS odd, 1.5 AS n, '=1+1' AS \"=a|b<i>\""
    )
    assert run(["sql", asked, "--output", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)["tables"]["rows"]
    assert row == {
        "day": "2026-03-01", "clock": "10:00:01", "span": "1:30:00", "bytes": "b'ab'", "list": [1, 2],
        "pair": {"a": "2026-03-01", "b": "1.50"}, "odd_usd": None, "odd_ms": None, "odd": None, "n": "1.5",
        "=a|b<i>": "=1+1",
    }  # fmt: skip
    for form in ("table", "markdown", "csv"):
        assert run(["sql", asked, "--output", form]) == 0
        text = capsys.readouterr().out
        assert ("<i>" in text) == (form != "markdown"), text
        assert form != "csv" or ",'=a|b<i>" in text


def test_a_size_of_memory_that_is_none_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log(GOOD)
    for said in ("abc", "-5", "0", "1e9"):
        monkeypatch.setenv("COSTCTL_MEMORY_MB", said)
        code, text = refused(capsys, "audit", "log.jsonl")
        assert (code, "E163" in text, said in text) == (2, True, True), text


@pytest.mark.parametrize("fault", ["half", "flipped", "garbage"])
def test_a_damaged_parquet_file_is_an_error_of_the_user(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    log = tmp_path / "log.parquet"
    pl.DataFrame({"model": ["gpt-4o"] * 50, "prompt_tokens": [1] * 50}).write_parquet(log)
    content = log.read_bytes()
    flipped = content[:40] + bytes([content[40] ^ 255]) + content[41:]
    log.write_bytes({"half": content[: len(content) // 2], "flipped": flipped, "garbage": b"PAR1garbage"}[fault])
    assert run(["audit", str(log), "--db", str(tmp_path / "c.duckdb")]) == 3
    assert "error[E112]" in capsys.readouterr().err


def test_a_file_that_is_no_workspace_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, workspace = tmp_path / "log.csv", tmp_path / "w.duckdb"
    log.write_text("model,prompt_tokens,completion_tokens\ngpt-4o,10,5\n", "utf-8")
    assert run(["audit", str(log), "--db", str(workspace)]) == 0
    other = tmp_path / "other.jsonl"
    other.write_text('{"a": 1}\n', "utf-8")
    other.chmod(0o644)
    cut = tmp_path / "cut.duckdb"
    cut.write_bytes(workspace.read_bytes()[:5000])
    capsys.readouterr()
    for file in (other, cut):
        for command in (["audit", str(log)], ["rejects"], ["sql", "SELECT 1"]):
            before = file.read_bytes(), file.stat().st_mode
            assert run([*command, "--db", str(file)]) == 3
            assert f"error[E161] {file} is damaged or no workspace of ours" in capsys.readouterr().err
            assert (file.read_bytes(), file.stat().st_mode) == before


def test_a_log_without_any_request_is_no_bill_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, db = tmp_path / "log.csv", str(tmp_path / "c.duckdb")
    log.write_text("model,prompt_tokens,completion_tokens\n,,\ngpt-4o,-1,5\n", "utf-8")
    assert run(["audit", str(log), "--db", db]) == 3
    assert "E126" in capsys.readouterr().err
    assert run(["rejects", "--db", db, "--output", "csv"]) == 0
    assert "input_tokens is negative" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"model": "gpt-4o", "input_tok', "ends before its record does"),
        (b'{"model": "gpt-4o\xff"}\n', "not valid UTF-8"),
        (b"[" * 5000 + b"]" * 5000, "nested too deeply"),
        (b"{'model': 'gpt-4o'}\n", "not valid JSON at column 2"),
    ],
)
def test_a_file_without_a_readable_record_says_why(
    content: bytes, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("bad.jsonl").write_bytes(content)
    assert run(["audit", "bad.jsonl"]) == 3
    said = capsys.readouterr().err
    assert "E121" in said and reason in said and "gpt-4o" not in said


@pytest.mark.parametrize(("option", "code"), [("--prices", "E201"), ("--tier-rules", "E310")])
def test_a_file_that_is_not_there_is_told_also_after_an_audit_without_it(
    option: str, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    log(GOOD)
    assert run(["audit", "log.jsonl"]) == 0
    assert run(["audit", "log.jsonl", option, "nowhere.yaml"]) == 2
    assert code in capsys.readouterr().err


def test_a_pattern_without_a_file_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", "*.nothing"]) == 3
    assert "no file matches this pattern" in capsys.readouterr().err


def test_an_unknown_format_is_no_other_one(capsys: pytest.CaptureFixture[str]) -> None:
    log(GOOD)
    assert run(["audit", "log.jsonl", "--log-format", "nope"]) == 2
    assert "known: " in capsys.readouterr().err
    assert run(["audit", "log.jsonl", "--log-format", "litelm_spend"]) == 2
    assert "did you mean litellm_spend?" in capsys.readouterr().err


def test_sql_knows_the_rejected_records_of_the_last_audit_alone(capsys: pytest.CaptureFixture[str]) -> None:
    log(GOOD, b"{broken")
    Path("log.jsonl").rename("first.jsonl")
    assert run(["audit", "first.jsonl"]) == 0
    log(good(request_id="r2"))
    Path("log.jsonl").rename("second.jsonl")
    assert run(["audit", "second.jsonl"]) == 0
    capsys.readouterr()
    for name, expected in (("rejected_record", 0), ("workspace.main.rejected_record", 1)):
        assert run(["sql", f"SELECT count(*) AS found_count FROM {name}", "--output", "json"]) == 0
        assert json.loads(capsys.readouterr().out)["tables"]["rows"] == [{"found_count": expected}]


def test_an_estimate_without_price_is_told_by_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    """Every model that is named counts; the answer is printed all the same."""
    assert [run(["estimate", *names]) for names in (["gpt-4o"], ["gpt-9"], ["gpt-4o", "gpt-9"])] == [0, 4, 4]
    assert run(["estimate", "gpt-4o", "--mix", "gpt-9=10%"]) == 4
    captured = capsys.readouterr()
    assert "$12.50" in captured.out
    assert "no price for 'gpt-9'" in captured.out + captured.err
    assert run(["estimate", "--price-list", "2026-01"]) == 0


@pytest.mark.parametrize("lines", [[{"colour": "red"}], [b"{broken", b"{broken"]])
@pytest.mark.parametrize("is_first", [True, False])
def test_after_a_refused_audit_no_older_rows_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lines: list[Any], is_first: bool
) -> None:
    """Neither a traceback of missing tables, nor the requests of the log before."""
    db = str(tmp_path / "c.duckdb")
    if not is_first:
        assert run(["audit", str(log(GOOD)), "--db", db]) == 0
    assert run(["audit", str(log(*lines)), "--db", db]) == 3
    capsys.readouterr()
    assert run(["sql", "SELECT 1 FROM request", "--db", db]) == 3
    said = capsys.readouterr().err
    assert "the last audit here was refused" in said
    assert "E162" in said
