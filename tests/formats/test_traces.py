"""Public traces: when, how much in, how much out."""

from __future__ import annotations

from pathlib import Path

from costctl.formats.base import Rejected
from costctl.formats.traces import is_burst, unwrap_burst
from tests.support import rows, was_read

BURST = {"Timestamp": "5.5", "Model": "ChatGPT", "Request tokens": "4", "Response tokens": "2"}


def test_seconds_from_the_start_and_failures_of_burstgpt() -> None:
    assert is_burst(BURST)
    found = unwrap_burst(BURST)
    assert isinstance(found, dict)
    assert (found["Timestamp"], "status" in found) == (5500, False)
    failed = unwrap_burst({**BURST, "Response tokens": 0})
    assert isinstance(failed, dict)
    assert failed["status"] == "error"
    for timestamp in ("soon", "inf", "nan", 10**400):
        assert unwrap_burst({**BURST, "Timestamp": timestamp}) == Rejected("Timestamp is not a number of seconds")


def test_a_trace_of_months_is_read_to_its_end(tmp_path: Path) -> None:
    """A hundred days are 8,640,000,000 ms, more than a count of tokens may be; a hundred years are the bound."""
    log = tmp_path / "burst.csv"
    log.write_text(
        "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
        "0,ChatGPT,100,10,110,Conversation log\n"
        "8640000,ChatGPT,100,10,110,Conversation log\n"
        "3155760000,ChatGPT,100,10,110,Conversation log\n"
        "3155760000.001,ChatGPT,100,10,110,Conversation log\n"
        "inf,ChatGPT,100,10,110,Conversation log\n",
        "utf-8",
    )
    report = was_read(tmp_path, log)
    assert (report.totals["accepted_count"], report.totals["rejected_count"]) == (3, 2)
    assert {row["reason"] for row in rows(report, "rejected")} == {
        "replay_offset_ms is over 3,155,760,000,000", "Timestamp is not a number of seconds",
    }  # fmt: skip


def test_a_trace_that_was_enriched_with_a_model_has_prices(tmp_path: Path) -> None:
    log = tmp_path / "trace.csv"
    log.write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens,model\n2026-03-01 18:15:46.6805900,1000000,0,gpt-4o\n", "utf-8"
    )
    report = was_read(tmp_path, log)
    assert report.provenance["formats"] == ["azure_trace"]
    assert str(report.totals["list_cost_usd"]) == "2.500000000000"
    assert report.totals["first_at"].isoformat() == "2026-03-01T18:15:46.680590"
