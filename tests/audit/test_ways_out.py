"""Messages that name the way out: records without a bill, counts that contradict each other, invoices of money."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costctl.audit.format_check import check_files
from costctl.audit.options import AuditOptions
from costctl.audit.reconcile import reconcile
from costctl.errors import CostctlError
from costctl.formats.sse import joined_events
from tests.support import audited

Record = dict[str, Any]


def write(path: Path, *records: Record) -> Path:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), "utf-8")
    return path


def said(report: Any) -> dict[str, tuple[str, str]]:
    return {warning.code: (warning.message, warning.hint) for warning in report.warnings}


def call(number: int, **more: Any) -> Record:
    return {"request_id": f"r{number}", "model": "gpt-4o", "input_tokens": 500, "output_tokens": 10} | more


def test_more_cached_tokens_than_input_name_the_option(tmp_path: Path) -> None:
    """95 of 100 records fit either way, five only with cached tokens beside the input; no total decides."""
    records = [call(n, cache_read_tokens=400, **({"input_tokens": 100} if n >= 95 else {})) for n in range(100)]
    path = write(tmp_path / "log.jsonl", *records)
    told = said(audited(tmp_path, path))
    assert "--cached-in-input no" in told["W110"][0]
    assert "5 records have more cached tokens than input, the first on line 96" in told["W119"][0]
    assert told["W119"][1] == "read it so: --cached-in-input no"
    (kind,) = [row for row in check_files([str(path)], AuditOptions()).tables["kinds"].dicts()
               if row["standing"] == "rejected"]  # fmt: skip
    assert "--cached-in-input no" in str(kind["kind"])
    assert str(kind["first_place"]).endswith("log.jsonl:96")
    report = audited(tmp_path, path, cached_in_input=False)
    assert report.totals["request_count"] == 100
    assert report.totals["input_tokens"] == 95 * 900 + 5 * 500


def test_one_damaged_record_in_many_is_no_evidence(tmp_path: Path) -> None:
    """One of a hundred with cached tokens is not more than one in a hundred."""
    records = [call(n, cache_read_tokens=600 if n == 99 else 400) for n in range(100)]
    told = said(audited(tmp_path, write(tmp_path / "log.jsonl", *records)))
    assert "W119" not in told
    assert "exceed input_tokens" in told["W110"][0]


def test_a_total_that_decides_leaves_no_such_doubt(tmp_path: Path) -> None:
    records = [call(n, cache_read_tokens=400, total_tokens=510) for n in range(9)] + [call(9, cache_read_tokens=600)]
    told = said(audited(tmp_path, write(tmp_path / "log.jsonl", *records)))
    assert "W119" not in told
    assert "exceed input_tokens" in told["W110"][0]


def test_more_reasoning_than_output_names_the_field(tmp_path: Path) -> None:
    path = write(tmp_path / "log.jsonl", *(call(n, reasoning_tokens=90) for n in range(3)))
    with pytest.raises(CostctlError, match="--map reasoning_outside_tokens=COLUMN") as caught:
        audited(tmp_path, path)
    assert caught.value.code == "E126"
    report = audited(tmp_path, path, mapping=("reasoning_outside_tokens=reasoning_tokens",))
    assert report.totals["output_tokens"] == 300


def test_the_input_of_a_batch_alone_is_told(tmp_path: Path) -> None:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "x"}]}
    asked = [{"custom_id": f"c{n}", "method": "POST", "url": "/v1/chat/completions", "body": body} for n in range(2)]
    message, hint = said(audited(tmp_path, write(tmp_path / "in.jsonl", *asked)))["W134"]
    assert message == "none of 2 records is a request that was answered: 2 are requests of a batch without the answers"
    assert "output file of the batch" in hint


def test_records_that_are_all_ignored_are_told_by_kind(tmp_path: Path) -> None:
    rows = [{"type": kind, "sessionId": "s", "uuid": kind} for kind in ("summary", "progress", "progress")]
    message, _ = said(audited(tmp_path, write(tmp_path / "a.jsonl", *rows)))["W134"]
    assert message == "none of 3 records is a request that was answered: 2 x progress, 1 x summary"


def test_a_stream_cut_before_its_counts_has_no_output() -> None:
    """The beginning counts 1; what stands in `message_delta` counts all."""
    begin = {"type": "message_start", "message": {"id": "m", "type": "message", "model": "claude-sonnet-4-5",
             "stop_reason": None, "usage": {"input_tokens": 300, "output_tokens": 1}}}  # fmt: skip
    text = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}}
    body = joined_events([begin, text])
    assert (body["usage"], body["status"]) == ({"input_tokens": 300}, "incomplete")
    counted = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 40}}
    assert joined_events([begin, text, counted])["usage"] == {"input_tokens": 300, "output_tokens": 40}


def test_an_invoice_of_money_is_told_its_field_and_its_currency(tmp_path: Path) -> None:
    log = write(tmp_path / "log.jsonl", call(1, timestamp="2026-06-11T10:00:00Z"))
    invoice = tmp_path / "invoice.csv"
    invoice.write_text("Date,Model,Amount (USD)\n2026-06-11,gpt-4o,0.00135\n", "utf-8")
    with pytest.raises(CostctlError) as caught:
        reconcile([str(log)], [str(invoice)], AuditOptions(), AuditOptions())
    assert "--invoice-map logged_cost=AMOUNT_IN_USD" in caught.value.hint
    invoice.write_text("date,model,cost_eur\n2026-06-11,gpt-4o,0.00135\n", "utf-8")
    with pytest.raises(CostctlError, match="the invoice is in EUR by the name of cost_eur") as caught:
        reconcile([str(log)], [str(invoice)], AuditOptions(), AuditOptions(mapping=("logged_cost=cost_eur",)))
    assert caught.value.code == "E193"
