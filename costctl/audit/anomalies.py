"""Days on which the cost of the whole, an endpoint, an app or a user jumps, and why.

A day jumps when it stands above the median of the ordinary days by four robust deviations, by
half of it, and by a fiftieth of an average day's whole cost. The change is then split, with
nothing left over, into volume, mix of models, price and tokens per request; the largest part
is the cause. Money is in fractions, so that the parts sum to the change to the last digit; only the
threshold that a day must pass is a float.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from statistics import median
from typing import Any

from costctl.audit import pages
from costctl.report import Table
from costctl.store import Store

SCOPES = {"total": "'all'", "app": "app", "endpoint": "endpoint", "team": "team", "user": "user_id"}
SPECIFIC = {"total": 0, "team": 1, "app": 2, "endpoint": 3, "user": 4}
DAYS_MIN = 4
DEVIATIONS = 4.0
MAD_TO_SIGMA = 1.4826
JUMP_RATIO_MIN = 0.5
MATERIAL_RATIO = Decimal("0.02")
# Costs of single users have long tails; a jump of one must weigh more to be worth telling.
USER_MATERIAL_RATIO = Decimal("0.05")
# A jump that is mostly one inside it is told once, as the narrower of the two.
EXPLAINED_RATIO = 0.6
NOTHING = Fraction(0)
COLUMNS = (
    "scope", "name", "first_on", "last_on", "list_cost_usd", "usual_cost_per_day_usd", "excess_usd", "cause",
    "cause_usd", "volume_usd", "mix_usd", "price_usd", "tokens_usd", "note",
)  # fmt: skip


@dataclass
class Usage:
    """Requests, cost in USD, and the four token classes with their cost."""

    requests: int = 0
    cost: Fraction = NOTHING
    tokens: list[int] = field(default_factory=lambda: [0] * 4)
    parts: list[Fraction] = field(default_factory=lambda: [NOTHING] * 4)

    def add(self, requests: int, cost: Fraction, tokens: Sequence[int], parts: Sequence[Fraction]) -> None:
        """Add another cell."""
        self.requests += requests
        self.cost += cost
        self.tokens = [one + other for one, other in zip(self.tokens, tokens, strict=True)]
        self.parts = [one + other for one, other in zip(self.parts, parts, strict=True)]


Cells = dict[date, dict[str, Usage]]


@dataclass(frozen=True)
class Change:
    """A change of the daily cost, split; the parts sum to it."""

    volume: Fraction
    mix: Fraction
    price: Fraction
    tokens: Fraction

    @property
    def cause(self) -> tuple[str, Fraction]:
        """The largest part and its size."""
        parts = {"volume": self.volume, "mix": self.mix, "price": self.price, "tokens per request": self.tokens}
        return max(parts.items(), key=lambda item: item[1])


def anomalies(store: Store) -> Table | None:
    """Every jump, dearest first; None where fewer than four dated days leave nothing to compare."""
    days = int(
        store.scalar("SELECT count(DISTINCT CAST(started_at AS DATE)) FROM request WHERE started_at IS NOT NULL")
    )
    if days < DAYS_MIN:
        return None
    total = store.scalar("SELECT coalesce(sum(list_cost_usd), 0) FROM request WHERE started_at IS NOT NULL")
    repriced = _repriced(store)
    found = _price_changes(store, repriced, float(total / days * MATERIAL_RATIO))
    for scope, dimension in SCOPES.items():
        material = total / days * (USER_MATERIAL_RATIO if scope == "user" else MATERIAL_RATIO)
        sql = pages.page("anomaly_cells.sql", dimension=dimension)
        series: dict[str, Cells] = defaultdict(lambda: defaultdict(lambda: defaultdict(Usage)))
        moved: set[str] = set()
        for name, day, model, key, requests, cost, *rest in store.query(sql, {"material": material}):
            series[name][day][model or ""].add(requests, Fraction(cost), rest[:4], list(map(Fraction, rest[4:])))
            if key in repriced:
                moved.add(model)
        for name, cells in series.items():
            found += _jumps(scope, name, cells, days, float(material), moved)
    # What a changed list price did is told once, by the model; a scope's own jump for that cause is an echo.
    told = any(row["scope"] == "model" for row in found)
    found = [row for row in found if row["scope"] == "model" or row["cause"] != "price" or not told]
    kept = [row for row in found if not any(_explains(store, other, row) for other in found)]
    kept.sort(key=lambda row: (-row["excess_usd"], row["scope"], row["name"], row["first_on"]))
    return Table.of("anomalies", COLUMNS, [_shown(row) for row in kept])


def _shown(row: dict[str, Any]) -> list[Any]:
    """The row as told: its cost to the last digit, what was divided to millionths of a dollar, which still sum."""
    told = dict(row)
    told |= {name: row[name].isoformat() for name in ("first_on", "last_on")}
    told |= {name: _decimal(value, 6) for name, value in row.items() if name.endswith("_usd")}
    told["list_cost_usd"] = _decimal(row["list_cost_usd"], 12)
    told["tokens_usd"] = told["excess_usd"] - told["volume_usd"] - told["mix_usd"] - told["price_usd"]
    told["cause_usd"] = told[f"{row['cause'].split()[0]}_usd"]
    return [told[name] for name in COLUMNS]


def _decimal(value: Fraction, places: int) -> Decimal:
    return Decimal(round(value * 10**places)).scaleb(-places)


def _repriced(store: Store) -> dict[str, date]:
    """Models whose list price changed within the log, with the day of the change."""
    return dict(
        store.query(
            "SELECT model_key, max(CAST(from_at AS DATE)) FROM rate, (SELECT min(started_at) AS first_at, "
            "max(started_at) AS last_at FROM request) WHERE from_at > first_at AND from_at <= last_at "
            "AND service_tier = 'standard' GROUP BY model_key ORDER BY model_key"
        )
    )


def _price_changes(store: Store, repriced: dict[str, date], material: float) -> list[dict[str, Any]]:
    """What the new price of a model adds to (or takes from) the cost of the days that follow."""
    found = []
    sql = pages.page("anomaly_cells.sql", dimension="price_key")
    before: dict[str, Usage] = defaultdict(Usage)
    after: dict[str, Usage] = defaultdict(Usage)
    last: dict[str, date] = {}
    for key, day, _, _, requests, cost, *rest in store.query(sql, {"material": 0}):
        if key in repriced:
            side = before if day < repriced[key] else after
            side[key].add(requests, Fraction(cost), rest[:4], list(map(Fraction, rest[4:])))
            last[key] = day
    for key, day in repriced.items():
        old, new = before[key], after[key]
        effect = sum(
            (
                tokens * (_unit(new, k) - _unit(old, k))
                for k, tokens in enumerate(new.tokens)
                if tokens and old.tokens[k]
            ),
            NOTHING,
        )
        days = (last[key] - day).days + 1 if key in last else 1
        if not old.requests or not new.requests or abs(effect) < material:
            continue
        found.append(
            {
                "scope": "model", "name": key, "first_on": day, "last_on": last[key], "list_cost_usd": new.cost,
                "usual_cost_per_day_usd": (new.cost - effect) / days, "excess_usd": effect, "cause": "price",
                "cause_usd": effect, "volume_usd": NOTHING, "mix_usd": NOTHING, "price_usd": effect,
                "tokens_usd": NOTHING,
                "note": f"the list price of {key} changed",
            }
        )  # fmt: skip
    return found


def _unit(usage: Usage, position: int) -> Fraction:
    return usage.parts[position] / usage.tokens[position] if usage.tokens[position] else NOTHING


def _jumps(scope: str, name: str, cells: Cells, days: int, material: float, moved: set[str]) -> list[dict[str, Any]]:
    costs = {day: sum((usage.cost for usage in models.values()), NOTHING) for day, models in cells.items()}
    flagged = _flagged({day: float(cost) for day, cost in costs.items()}, days, material, is_sparse=scope == "user")
    found = []
    for first, last in _runs(sorted(flagged)):
        period = [day for day in cells if first <= day <= last]
        usual_days = [day for day in cells if day not in flagged]
        usual_count = len(usual_days) if scope == "user" else days - len(flagged)
        usual, now = _summed(cells, usual_days), _summed(cells, period)
        change = split(usual, max(usual_count, 1), now, len(period), moved)
        cost = sum((costs[day] for day in period), NOTHING)
        usual_cost = sum((costs[day] for day in usual_days), NOTHING) / max(usual_count, 1)
        cause, size = change.cause
        found.append(
            {
                "scope": scope, "name": name, "first_on": first, "last_on": last, "list_cost_usd": cost,
                "usual_cost_per_day_usd": usual_cost, "excess_usd": cost - usual_cost * len(period), "cause": cause,
                "cause_usd": size, "volume_usd": change.volume, "mix_usd": change.mix, "price_usd": change.price,
                "tokens_usd": change.tokens, "note": _note(cause, usual, now, max(usual_count, 1), len(period)),
            }
        )  # fmt: skip
    return found


def _flagged(costs: dict[date, float], days: int, material: float, *, is_sparse: bool) -> set[date]:
    """The days that stand out, found again until no further day does, so that jumps hide no jump.

    A user is compared with the own other days, the other scopes also with days without cost.
    """
    idle = 0 if is_sparse else days - len(costs)
    flagged: set[date] = set()
    while True:
        left = [day for day in costs if day not in flagged]
        more = {day for day in left if costs[day] > _limit(costs, flagged | {day}, idle, material)}
        if not more or len(flagged | more) * 2 > max(days, DAYS_MIN):
            return flagged
        flagged |= more


def _limit(costs: dict[date, float], left_out: set[date], idle: int, material: float) -> float:
    """What a day may cost beside the days that are not left out."""
    usual = [cost for day, cost in costs.items() if day not in left_out] + [0.0] * idle
    if not usual:
        return material * 2
    middle = median(usual)
    spread = median([abs(cost - middle) for cost in usual]) * MAD_TO_SIGMA
    few = 2 if len(usual) < DAYS_MIN - 1 else 1
    return middle + max(DEVIATIONS * spread, JUMP_RATIO_MIN * middle, material * few)


def _runs(days: list[date]) -> list[tuple[date, date]]:
    runs: list[tuple[date, date]] = []
    for day in days:
        if runs and day - runs[-1][1] == timedelta(days=1):
            runs[-1] = (runs[-1][0], day)
        else:
            runs.append((day, day))
    return runs


def _summed(cells: Cells, days: Sequence[date]) -> dict[str, Usage]:
    summed: dict[str, Usage] = defaultdict(Usage)
    for day in days:
        for model, usage in cells[day].items():
            summed[model].add(usage.requests, usage.cost, usage.tokens, usage.parts)
    return summed


def split(
    usual: dict[str, Usage], usual_days: int, now: dict[str, Usage], now_days: int, moved: Collection[str] = ()
) -> Change:
    """Split the change of the whole cost of `now_days` days against as many usual ones.

    Requests that one model gained and another lost were moved: mix, the difference of what they
    cost. The other gained or lost ones are volume. Each costs what is usual for its model. Price:
    the same tokens at another unit price, of the models in `moved`, whose list price changed.
    Tokens: what is left, tokens per request of each class.
    """
    scale = Fraction(now_days, usual_days)
    before_all, after_all = (sum((usage.cost for usage in side.values()), NOTHING) for side in (usual, now))
    whole = after_all - scale * before_all
    gained = lost = gained_cost = lost_cost = price = NOTHING
    for model in sorted({*usual, *now}):
        before, after = usual.get(model, Usage()), now.get(model, Usage())
        known = before if before.requests else after
        each = known.cost / known.requests
        difference = after.requests - before.requests * scale
        if difference > 0:
            gained, gained_cost = gained + difference, gained_cost + difference * each
        else:
            lost, lost_cost = lost - difference, lost_cost - difference * each
        if model in moved:
            price += sum(
                (
                    tokens * (_unit(after, k) - _unit(before, k))
                    for k, tokens in enumerate(after.tokens)
                    if tokens and before.tokens[k]
                ),
                NOTHING,
            )
    swapped = min(gained, lost)
    mix = swapped * (gained_cost / gained - lost_cost / lost) if swapped else NOTHING
    volume = gained_cost - lost_cost - mix
    return Change(volume, mix, price, whole - volume - mix - price)


def _note(cause: str, usual: dict[str, Usage], now: dict[str, Usage], usual_days: int, now_days: int) -> str:
    usual_requests = sum(usage.requests for usage in usual.values())
    now_requests = sum(usage.requests for usage in now.values())
    if cause == "volume":
        return f"{now_requests / now_days:,.0f} requests a day, usually {usual_requests / usual_days:,.0f}"
    if cause == "mix":
        shares = {model: usage.requests / now_requests for model, usage in now.items()}
        gain = {
            model: ratio - (usual[model].requests / usual_requests if model in usual else 0.0)
            for model, ratio in shares.items()
        }
        model = max(gain, key=lambda item: (gain[item], item))
        return f"{model or 'no model'} serves {shares[model]:.0%}, usually {shares[model] - gain[model]:.0%}"
    before, after = (
        sum(sum(usage.tokens) for usage in side.values()) / max(requests, 1)
        for side, requests in ((usual, usual_requests), (now, now_requests))
    )
    return f"{after:,.0f} tokens a request, usually {before:,.0f}"


def _explains(store: Store, narrow: dict[str, Any], wide: dict[str, Any]) -> bool:
    """Whether most of the wide jump is the narrow one: same days, and the same requests."""
    if narrow is wide or SPECIFIC.get(narrow["scope"], 5) <= SPECIFIC.get(wide["scope"], 5):
        return False
    overlap = narrow["first_on"] <= wide["last_on"] and wide["first_on"] <= narrow["last_on"]
    if not overlap or narrow["excess_usd"] < EXPLAINED_RATIO * wide["excess_usd"]:
        return False
    columns = {**SCOPES, "model": "price_key"}
    sql = pages.page("anomaly_overlap.sql", wide=columns[wide["scope"]], narrow=columns[narrow["scope"]])
    inside, whole = store.query(
        sql, {"wide": wide["name"], "narrow": narrow["name"], "first": narrow["first_on"], "last": narrow["last_on"]}
    )[0]
    return float(inside) >= EXPLAINED_RATIO * float(whole)
