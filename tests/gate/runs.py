"""Runs as `simulate --output json` writes them, small enough to check by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TOTALS: dict[str, Any] = {
    "call_count": 100, "baseline_cost_usd": "10.000000000000", "policy_cost_usd": "6.000000000000",
    "policy_cost_usd_low": "5.000000000000", "policy_cost_usd_high": "7.000000000000", "saving_ratio": 0.4,
    "saving_ratio_low": 0.3, "saving_ratio_high": 0.5, "cache_hit_ratio": 0.1, "moved_count": 0,
    "policy_latency_ms_p99": "900.0", "policy_latency_ms_p99_low": "800.0",
}  # fmt: skip
STATUS = {
    "call_count": "exact", "baseline_cost_usd": "exact", "policy_cost_usd": "estimated", "saving_ratio": "estimated",
    "cache_hit_ratio": "replayed", "moved_count": "replayed", "policy_latency_ms_p99": "estimated",
}  # fmt: skip


def write_run(path: Path, totals: Any = None, gates: Any = (), tiers: Any = (), **made: Any) -> str:
    """A run with these totals beside the usual ones, and these rows of its tables."""
    provenance = {
        "costctl": "0.1.0", "policy": "p #12345678", "seed": 7, "price_set": "2026-11-09 #abcdefgh", "logs": ["log"],
        "calls_digest": "same", "status": STATUS, "not_computed": {"fallback_count": "no attempts"}, **made,
    }  # fmt: skip
    tables = {"gates": [{"verdict": verdict, "gate": text, "value": value, "level": level, "reason": "r"}
                        for verdict, text, value, level in gates],
              "by_tier": [dict(zip(("tier", "share_ratio", "policy_cost_usd"), row, strict=True))
                          for row in tiers]}  # fmt: skip
    body = {"schema_version": 1, "command": "simulate", "totals": TOTALS | (totals or {}), "tables": tables,
            "warnings": [], "provenance": provenance}  # fmt: skip
    path.write_text(json.dumps(body), "utf-8")
    return str(path)
