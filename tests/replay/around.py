"""Small logs for the keys around a call: rows as the store holds them, and the whole report of a simulation."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from costctl.policy.load import parse_policy
from costctl.replay.run import simulate
from costctl.report import Report
from tests.replay.compare import SEED, book
from tests.replay.logs import Row, dicts, store_of

ASSUME = "assume: {output_tokens_ratio: 1, input_tokens_ratio: 1}\n"
TIERS = "tiers: {A: {models: [gpt-4o-mini]}, B: {models: logged}, C: {models: [gpt-4o]}}\n"
START = datetime(2026, 3, 2)


def call(number: int, **said: Any) -> Row:
    """A call of gpt-4o, a minute after the one before, 5,000 tokens in and 100 out, in one second."""
    tokens = said.pop("tokens", 5000)
    row = {
        "request_id": f"r{number}", "source_line": number + 1, "file_id": 1, "request_model": "gpt-4o",
        "model": "gpt-4o", "started_at": START + timedelta(minutes=number), "status": "ok", "latency_ms": 1000.0,
        "input_uncached_tokens": tokens, "output_tokens": 100, "usage_source": "provider", "endpoint": "/chat", **said,
    }  # fmt: skip
    parts = ("input_uncached_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
    return {"input_tokens": sum(row.get(name) or 0 for name in parts), **row}


class Around:
    """One simulation of rows under a policy."""

    def __init__(self, policy: str, rows: list[Row], seed: int = SEED) -> None:
        with store_of(rows, book()) as store:
            parsed = parse_policy("version: 1\n" + policy, "policy.yaml")
            self.report: Report = simulate(store, parsed, book(), seed)
            self.made = dicts(store, "SELECT * FROM decision ORDER BY position")

    @property
    def totals(self) -> dict[str, Any]:
        """The totals of the report."""
        return dict(self.report.totals)

    def costs(self) -> list[Decimal]:
        """What each call costs under the policy."""
        return [one["policy_cost_usd"] for one in self.made]

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The rows of one table."""
        return [dict(row) for row in self.report.tables[table].dicts()]

    def change(self, stage: str) -> Decimal:
        """One row of the waterfall."""
        (found,) = [row["change_usd"] for row in self.rows("waterfall") if row["stage"] == stage]
        return Decimal(found)

    def codes(self) -> set[str]:
        """The codes of all warnings."""
        return {one.code for one in self.report.warnings}

    def status(self, name: str) -> str:
        """The standing of a figure."""
        known: Any = self.report.provenance["status"]
        return str(known[name])


def usd(text: str) -> Decimal:
    """Dollars with the twelve decimals of a report."""
    return Decimal(text).quantize(Decimal(10) ** -12)
