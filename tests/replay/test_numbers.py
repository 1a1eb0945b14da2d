"""Users, teams, endpoints as numbers: the same with and without their texts."""

from __future__ import annotations

import json
from pathlib import Path

from costctl.audit.options import AuditOptions
from costctl.audit.run import audited_store
from costctl.replay.calls import codes, load_calls, numbers

USERS = ["b", None, "a", "b", "ñ", "a", None, "A"]


def test_numbers_are_the_codes_of_texts_that_nobody_asks_for(tmp_path: Path) -> None:
    """A, a, b, ñ in the order of their bytes; who has no name is -1."""
    rows = [
        {
            "request_id": f"r{number}", "timestamp": f"2026-03-01T10:00:{number:02d}Z", "model": "gpt-4o",
            "input_tokens": 10, "output_tokens": 1, "user_id": user,
        }
        for number, user in enumerate(USERS)
    ]  # fmt: skip
    log = tmp_path / "log.jsonl"
    log.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    with audited_store([str(log)], AuditOptions(db=tmp_path / "c.duckdb")) as (store, _):
        load_calls(store)
        found, texts = codes(store, "user_id")
        assert texts == ("A", "a", "b", "ñ")
        assert found.tolist() == [2, -1, 1, 2, 3, 1, -1, 0]
        assert numbers(store, "user_id").tolist() == found.tolist()
