"""Recognising a log by its head: long first lines, wide fields, transcripts without an answer."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from costctl.errors import InputError
from costctl.formats.base import LogFormat, Record, Rejected, identity_columns
from costctl.formats.detect import recognise, shape_of
from costctl.formats.documents import records_of
from costctl.formats.gather import Gathered
from costctl.formats.parse import parse_lines
from costctl.formats.sources import LINE_BYTES_MAX, Source, head_of, quick_identity
from costctl.formats.tasks import Task

ROW = {"model": "gpt-4o", "input_tokens": 10, "output_tokens": 1}


def source(path: Path, content: str | bytes) -> Source:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return Source(path, path.name, True)


def test_a_first_line_over_one_mebibyte_is_seen_whole(tmp_path: Path) -> None:
    long = json.dumps({**ROW, "prompt": "x" * 3_000_000})
    log = source(tmp_path / "log.jsonl", f"{long}\n{json.dumps(ROW)}\n")
    assert recognise(log).name == "generic"
    assert head_of(log).startswith(long.encode() + b"\n")


def test_the_head_of_an_endless_line_ends(tmp_path: Path) -> None:
    log = source(tmp_path / "log.jsonl", b"x" * (LINE_BYTES_MAX + 5_000_000))
    assert LINE_BYTES_MAX <= len(head_of(log)) <= LINE_BYTES_MAX + 2**20


def test_a_wide_csv_field_does_not_stop_the_recognition(tmp_path: Path) -> None:
    log = source(tmp_path / "log.csv", f"model,input_tokens,output_tokens,prompt\ngpt-4o,10,1,{'x' * 200_000}\n")
    assert recognise(log).name == "generic"


def test_a_transcript_that_only_asks_is_a_transcript(tmp_path: Path) -> None:
    row: dict[str, Any] = {"type": "user", "sessionId": "s", "uuid": "u", "message": {"role": "user", "content": "x"}}
    log = source(tmp_path / "log.jsonl", "\n".join([json.dumps(row)] * 250))
    assert recognise(log).name == "claude_code"


@pytest.mark.parametrize(
    "header",
    ["Timestamp, Model, Input Tokens, Output Tokens", "TIMESTAMP,MODEL,INPUT_TOKENS,OUTPUT_TOKENS",
     "ts,modelId,InputTokens,output-tokens"],
)  # fmt: skip
def test_headers_of_any_case_and_spacing(tmp_path: Path, header: str) -> None:
    log = source(tmp_path / "log.csv", f"{header}\n2026-03-02T10:00:00Z,gpt-4o,10,1\n")
    assert recognise(log).name == "generic"


@pytest.mark.parametrize("name", ["log.log", "log.txt"])
def test_a_brace_in_a_prompt_makes_no_json(tmp_path: Path, name: str) -> None:
    log = source(tmp_path / name, 'model,input_tokens,output_tokens,prompt\ngpt-4o,10,1,"fill {name} in"\n')
    assert shape_of(log) == "table"


def test_text_before_json_lines_is_no_table(tmp_path: Path) -> None:
    log = source(tmp_path / "log.log", f"started, ready\n{json.dumps(ROW)}\n{json.dumps(ROW)}\n")
    assert shape_of(log) == "lines"


def test_results_of_a_document() -> None:
    assert records_of({"results": [ROW, ROW]}) == [ROW, ROW]


def test_the_fingerprint_covers_every_byte_of_a_small_file(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    found = set()
    for place in (0, 65_535, 65_536, 100_000, 131_071):
        content = bytearray(b"x" * 131_072)
        content[place] = 0
        path.write_bytes(content)
        os.utime(path, (1, 1))
        found.add(quick_identity(path))
    assert len(found) == 5


def test_the_same_bytes_elsewhere_are_another_file(tmp_path: Path) -> None:
    paths = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for path in paths:
        path.write_text("same")
        os.utime(path, (1, 1))
    assert quick_identity(paths[0]) != quick_identity(paths[1])


@pytest.mark.parametrize(
    "error", [KeyError("usage"), TypeError("x"), ValueError("x"), AttributeError("x"), IndexError()]
)
def test_a_record_that_its_format_cannot_take_apart_is_rejected(error: Exception) -> None:
    def unwrap(record: Record) -> Record | Rejected:
        if record["n"] == 2:
            raise error
        return record

    strange = LogFormat("strange", "", lambda _: True, identity_columns(), unwrap=unwrap)
    parsed = parse_lines(b'{"n":1}\n{"n":2}\n{"n":3}\n', Task(), strange, Gathered(strange, b""))
    assert [reject.reason for reject in parsed.rejected] == ["this strange record cannot be read"]
    assert (parsed.lines, parsed.records_read) == ([1, 3], 3)


@pytest.mark.parametrize(
    ("text", "said"),
    [("INFO 06-15 15:06:40 [logger.py:42] Received request c1: prompt: 'my secret', params: SamplingParams(n=1)\n",
      "vLLM's own log"),
     ("2026-03-02 my secret, which is a long text of a person and no header of any table whatever, is here\n",
      "no header"),
     ("my secret's, here\n1, 2\n", "no header")],
)  # fmt: skip
def test_the_text_of_another_log_is_refused_and_not_shown(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        recognise(source(tmp_path / "server.log", text * 3))
    assert said in refused.value.message
    assert "secret" not in f"{refused.value.message} {refused.value.hint}"
