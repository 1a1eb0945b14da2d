"""Token budgets and latency budgets: what the user allows, and who goes over it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
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
SIZE_MAX = 10**15  # tokens per day or ms: over any log, and within the 64 bits of the store
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
        CostctlError: E142 when it is not that, or over `SIZE_MAX`.
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
    max_tokens = Decimal(found[1]) * COUNT_UNITS[found[2]]
    if max_tokens > SIZE_MAX:
        message = f"token budget {text!r} is over {SIZE_MAX:,} tokens per day, more than any log has"
        raise CostctlError("E142", message, "write endpoint=/chat:5M")
    return TokenBudget(scope, name, round(max_tokens))


def parse_latency_budget(text: str) -> LatencyBudget:
    """`/chat=3s`, `/chat=800ms`.

    Raises:
        CostctlError: E143 when it is not that, or over `SIZE_MAX`.
    """
    endpoint, _, size = text.rpartition("=")
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m)", size.strip().lower())
    if not endpoint or found is None:
        raise CostctlError("E143", f"latency budget {text!r} is not endpoint=time", "write /chat=3s or /chat=800ms")
    max_ms = Decimal(found[1]) * TIME_UNITS_MS[found[2]]
    if max_ms > SIZE_MAX:
        message = f"latency budget {text!r} is over {SIZE_MAX:,} ms, longer than any request takes"
        raise CostctlError("E143", message, "write /chat=3s or /chat=800ms")
    return LatencyBudget(endpoint, round(max_ms))


def token_budgets(store: Store, budgets: Sequence[TokenBudget]) -> Table:
    """Tokens per day by endpoint and by user of each profile, beside the budget where one is set.

    `over_count` is None for a name that the log has, but of no request that can be counted.
    """
    allowed = {(item.scope, item.name): item.max_tokens for item in budgets}
    rows: list[tuple[Any, ...]] = []
    seen = set()
    for scope, (group, unit) in SCOPES.items():
        store.execute("CREATE OR REPLACE TEMP TABLE token_budget (name VARCHAR, max_tokens BIGINT)")
        chosen = [(name, size) for (of_scope, name), size in allowed.items() if of_scope == scope]
        store.insert("token_budget", ["name", "max_tokens"], chosen)
        for name, *figures in store.query(pages.page("token_budgets.sql", group=group, unit=unit)):
            seen.add((scope, name))
            rows.append((scope, name, allowed.get((scope, name)), *figures))
    rows += [
        (scope, name, size, 0, None, None, None if _is_in(store, scope, name) else 0, None, None)
        for (scope, name), size in allowed.items()
        if (scope, name) not in seen
    ]
    return Table.of("token_budgets", TOKEN_COLUMNS, rows)


def _is_in(store: Store, column: str, name: str) -> bool:
    """Whether any request has that value there; one without a date, user or latency is in no day and no quantile."""
    return bool(store.query(f"SELECT 1 FROM request WHERE {column} = $name LIMIT 1", {"name": name}))


def latency_budgets(store: Store, budgets: Sequence[LatencyBudget]) -> Table:
    """How many successful requests of each endpoint took longer than its budget; None where none has a latency."""
    rows: list[tuple[Any, ...]] = []
    for item in budgets:
        count, over, p95 = store.query(
            "SELECT count(latency_ms), count(*) FILTER (latency_ms > $max_ms), quantile_cont(latency_ms, 0.95) "
            "FROM request WHERE status = 'ok' AND endpoint = $endpoint",
            {"max_ms": item.max_ms, "endpoint": item.endpoint},
        )[0]
        ratio = over / count if count else None
        if not count and _is_in(store, "endpoint", item.endpoint):
            over = None
        rows.append((item.endpoint, item.max_ms, count, over, ratio, p95, None if p95 is None else p95 <= item.max_ms))
    return Table.of("latency_budgets", LATENCY_COLUMNS, rows)
