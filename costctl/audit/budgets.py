"""Token budgets and latency budgets: what the user allows, and who goes over it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from costctl.audit import pages
from costctl.errors import CostctlError
from costctl.report import Table
from costctl.store import Store

# A budget of a profile holds for each of its users, that of an endpoint for all who call it.
SCOPES = {"endpoint": ("endpoint", "endpoint"), "user_profile": ("user_profile", "user_id")}
COUNT_UNITS = {"": 1, "k": 1_000, "m": 1_000_000, "b": 1_000_000_000}
TIME_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000}
TOKEN_COLUMNS = (
    "scope", "name", "budget_tokens", "day_count", "tokens_per_day_p50", "tokens_per_day_max", "over_count",
    "worst", "worst_on",
)  # fmt: skip
LATENCY_COLUMNS = ("endpoint", "budget_ms", "request_count", "over_count", "over_ratio", "latency_ms_p95", "is_kept")


class TokenBudget(NamedTuple):
    """Tokens (input and output) per UTC day, of one endpoint or of each user of a profile."""

    scope: str
    name: str
    max_tokens: int


class LatencyBudget(NamedTuple):
    """The latency that 95 of 100 successful requests to an endpoint must keep."""

    endpoint: str
    max_ms: int


def parse_token_budget(text: str) -> TokenBudget:
    """`endpoint=/chat:5M` or `user_profile=free:20k`.

    Raises:
        CostctlError: E142 when it is not that.
    """
    scope, _, rest = text.partition("=")
    name, _, size = rest.rpartition(":")
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([kmb]?)", size.strip().lower())
    if scope not in SCOPES:
        near = get_close_matches(scope, SCOPES, n=1)
        hint = f"did you mean {near[0]}=...?" if near else f"one of: {', '.join(SCOPES)}"
        raise CostctlError("E142", f"token budget {text!r}: no budget by {scope!r}", hint)
    if not name or found is None:
        raise CostctlError("E142", f"token budget {text!r} is not scope=name:tokens", "write endpoint=/chat:5M")
    return TokenBudget(scope, name, round(float(found[1]) * COUNT_UNITS[found[2]]))


def parse_latency_budget(text: str) -> LatencyBudget:
    """`/chat=3s`, `/chat=800ms`.

    Raises:
        CostctlError: E143 when it is not that.
    """
    endpoint, _, size = text.rpartition("=")
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m)", size.strip().lower())
    if not endpoint or found is None:
        raise CostctlError("E143", f"latency budget {text!r} is not endpoint=time", "write /chat=3s or /chat=800ms")
    return LatencyBudget(endpoint, round(float(found[1]) * TIME_UNITS_MS[found[2]]))


def token_budgets(store: Store, budgets: Sequence[TokenBudget]) -> Table:
    """Tokens per day by endpoint and by user of each profile, beside the budget where one is set."""
    allowed = {(item.scope, item.name): item.max_tokens for item in budgets}
    rows: list[tuple[Any, ...]] = []
    seen = set()
    for scope, (group, unit) in SCOPES.items():
        store.execute("CREATE OR REPLACE TEMP TABLE token_budget (name VARCHAR, max_tokens BIGINT)")
        chosen = [(item.name, item.max_tokens) for item in budgets if item.scope == scope]
        store.insert("token_budget", ["name", "max_tokens"], chosen)
        for name, *figures in store.query(pages.page("token_budgets.sql", group=group, unit=unit)):
            seen.add((scope, name))
            rows.append((scope, name, allowed.get((scope, name)), *figures))
    rows += [(*key, size, 0, None, None, 0, None, None) for key, size in allowed.items() if key not in seen]
    return Table.of("token_budgets", TOKEN_COLUMNS, rows)


def latency_budgets(store: Store, budgets: Sequence[LatencyBudget]) -> Table:
    """How many successful requests of each endpoint took longer than its budget."""
    rows: list[tuple[Any, ...]] = []
    for item in budgets:
        count, over, p95 = store.query(
            "SELECT count(latency_ms), count(*) FILTER (latency_ms > $max_ms), quantile_cont(latency_ms, 0.95) "
            "FROM request WHERE status = 'ok' AND endpoint = $endpoint",
            {"max_ms": item.max_ms, "endpoint": item.endpoint},
        )[0]
        ratio = over / count if count else None
        rows.append((item.endpoint, item.max_ms, count, over, ratio, p95, None if p95 is None else p95 <= item.max_ms))
    return Table.of("latency_budgets", LATENCY_COLUMNS, rows)
