"""Policies made from a seed, with caps and lifetimes that bite on a log of the given size."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

from tests.replay.oracle_router import file_of

MODELS = (
    "openai/gpt-4o-mini", "openai/gpt-3.5-turbo", "mistral/mistral-medium-latest", "openai/gpt-4o", "openai/gpt-4",
    "openai/gpt-4.1", "anthropic/claude-3-5-haiku-latest",
)  # fmt: skip
PROVIDERS = ("openai", "anthropic", "mistral")
TIERS = ("A", "B", "C", "D")
CONDITIONS: tuple[dict[str, Any], ...] = (
    {"has_code": True}, {"has_image": False}, {"contains_personal_data": True}, {"destinations": ">=3"},
    {"input_tokens": ">1.5k"}, {"input_tokens": "<200", "output_tokens": ">40"}, {"endpoint": ["/lead", "/check*"]},
    {"endpoint_not": "/chat"}, {"intent": "faq"}, {"intent_not": ["faq", "lead"]}, {"team": "sales"},
    {"app_not": "web"},
    {"any": [{"table_rows": ">20"}, {"turn_count": ">=3"}]}, {"all": [{"language": "es"}, {"tool_count": 0}]},
    {"not": {"temperature": ">0.5"}}, {"not": {"any": [{"stream": True}, {"user_profile": "free"}]}},
    {"word_count": ">=200"}, {"travel_days": "=5"}, {"constraints": "<=1"}, {"tier": ["B", "C"]}, {"model": "gpt-4*"},
    {"request_model": "gpt-4o"}, {"logged_tier": "A"}, {"user_id": ["u1", "u2", "u3"]}, {"system_chars": ">1k"},
    {"has_image_not": True}, {"temperature_not": 0}, {"turn_count": 1, "language_not": "en"},
    {"not": {"app": "web", "team": "ops"}}, {"service_tier": "standard"},
)  # fmt: skip


class Size(NamedTuple):
    """What a log costs and counts, for caps that bite."""

    day_usd: float  # dollars of an average day
    call_usd: float  # dollars of an average call
    day_tokens: int
    models: tuple[str, ...] = MODELS  # those that it knows


class Maker:
    """Writes one policy after the other."""

    def __init__(self, seed: str, size: Size) -> None:
        self.rng = Random(f"policy {seed}")
        self.size = size
        self.near = Random(f"near {seed}")  # apart, so that the other stages keep their policies
        self.gain = Random(f"gain {seed}")  # likewise
        self.bite = Random(f"bite {seed}")  # likewise
        self.assumed = self._assume()  # one for all policies of a log, since each means new prices of every call

    def policy(self) -> dict[str, Any]:
        """One policy as plain values."""
        chance = self.rng.random
        tiers = self._tiers(TIERS[: self.rng.choice((1, 2, 2, 3, 3, 3, 4, 4, 4))])
        policy: dict[str, Any] = {"version": 1, "tiers": tiers, "assume": self.assumed}
        if chance() < 0.4:
            policy["specialists"] = self._tiers(("code", "local")[: self.rng.randint(1, 2)])
        policy["routing"] = self._routing(list(tiers), list(policy.get("specialists", ())))
        if self.gain.random() < 0.8:
            policy["routing"] |= self._classifier(tiers)
        if chance() < 0.95:
            policy["budgets"] = self._budgets(list(tiers), list(policy.get("specialists", ())))
        if chance() < 0.75:
            policy["cache"] = self._cache()
        if self.near.random() < 0.75:
            policy.setdefault("cache", {})["semantic"] = self._semantic([*tiers, *policy.get("specialists", ())])
        if chance() < 0.85:
            usual = policy["routing"].get("default", "logged")
            if chance() < 0.3:
                policy["assume"] = {**self.assumed, "timed_out_is_billed": True}
            policy |= self._attempts([*tiers, *policy.get("specialists", ())], usual)
        return policy

    def _tiers(self, names: Sequence[str]) -> dict[str, Any]:
        rng, made = self.rng, {}
        known = [name for name in MODELS if name in self.size.models] or MODELS
        for name in names:
            some = known if rng.random() < 0.8 else MODELS
            tier: dict[str, Any] = {"models": rng.sample(some, min(rng.choice((1, 1, 2, 3)), len(some)))}
            if rng.random() < 0.12:
                tier["models"] = "logged"
            elif len(tier["models"]) > 1 and rng.random() < 0.6:
                tier["select"] = rng.choice(("cheapest", "cheapest", "first", "fastest"))
            if rng.random() < 0.6:
                tier["max_output_tokens"] = rng.choice((1, 20, 60, 300, 1000))
            if rng.random() < 0.6:
                tier["context_tokens"] = rng.choice((500, "2k", "4k", "8k", "16k"))
            if rng.random() < 0.4:
                tier["timeout_s"] = rng.choice((0.5, 1, 2, 3.5, 20))
            if rng.random() < 0.3:
                tier["temperature"] = rng.choice((0, 0.2, 0.5, 0.9))
            made[name] = tier
        return made

    def _assume(self) -> dict[str, Any]:
        ratios = (1, 0.8, 1.25, 0.5, 1.333, 2)
        return {
            key: self.rng.choice(ratios) if self.rng.random() < 0.6 else {m: self.rng.choice(ratios) for m in MODELS}
            for key in ("output_tokens_ratio", "input_tokens_ratio")
        }

    def _routing(self, tiers: list[str], specialists: list[str]) -> dict[str, Any]:
        rng = self.rng
        lanes = [*tiers, *specialists]
        routing: dict[str, Any] = {"default": rng.choice((*tiers, *tiers, "logged"))}
        if rng.random() < 0.2:
            del routing["default"]
        if rng.random() < 0.65:
            routing["rules"] = self._named("rule", rng.randint(1, 4), "to", lanes)
        if rng.random() < 0.6:
            routing["matrix"] = {intent: rng.choice(lanes) for intent in ("faq", "greeting", "lead", "itinerary_long")}
        if rng.random() < 0.6:
            routing["raise"] = self._named("raise", rng.randint(1, 3), "to", tiers[-2:])
        if rng.random() < 0.6:
            routing["floors"] = self._named("floor", rng.randint(1, 3), "at_least", tiers[-2:])
        if rng.random() < 0.8:
            routing["sticky"] = rng.choice(("session", "user"))
        return routing

    def _classifier(self, tiers: dict[str, Any]) -> dict[str, Any]:
        """A learned router between two of the tiers; none where no two of them name models in this order."""
        rng = self.gain
        firsts: dict[str, int] = {}  # the first tier that names a model
        for number, tier in enumerate(tiers.values()):
            for model in tier["models"] if tier["models"] != "logged" else ():
                firsts.setdefault(model, number)
        pairs = [(one, other) for one, low in firsts.items() for other, high in firsts.items() if low < high]
        if not pairs:
            return {}
        pair = None if len(tiers) == 2 and rng.random() < 0.2 else rng.choice(pairs)
        if pair is not None and rng.random() < 0.3:
            pair = (pair[0].partition("/")[2], pair[1])  # another name of the same model
        made: dict[str, Any] = {"file": file_of(rng, rng.choice(("columns", "columns", "text")), pair)}
        if rng.random() < 0.4:
            made["min_confidence"] = rng.choice(("30%", 0.5, "50%", "62.5%", 0.8))
        return {"classifier": made}

    def _named(self, kind: str, count: int, key: str, lanes: Sequence[str]) -> list[dict[str, Any]]:
        found = self.rng.sample(CONDITIONS, count)
        return [
            {"name": f"{kind} {number}", "when": when, key: self.rng.choice(lanes)} for number, when in enumerate(found)
        ]

    def _budgets(self, tiers: list[str], specialists: list[str]) -> dict[str, Any]:
        rng, size = self.rng, self.size
        budgets: dict[str, Any] = {"over": rng.choice(("degrade", "refuse"))}
        if rng.random() < 0.3:
            budgets["over_floor"] = True
        if rng.random() < 0.45:
            free = rng.choice(tiers)  # one tier stays without a cap
            shares = {tier: rng.choice(("5%", "20%", 0.4, "33.3%")) for tier in tiers if tier != free}
            if shares:
                budgets["max_share_per_day"] = shares
        if rng.random() < 0.5:
            budgets["usd_per_day"] = self._usd_caps([*tiers, *specialists])
        if rng.random() < 0.35:
            budgets["usd_per_request_max"] = round(size.call_usd * rng.uniform(0.05, 3), 6)
        if rng.random() < 0.5:
            whom = ("user_profile", "endpoint", "user", "team")
            caps = [
                {**self._whom(scope), "max": max(1, int(size.day_tokens * part * rng.uniform(0.1, 1)))}
                for scope, part in ((rng.choice(whom), rng.choice((0.02, 0.1, 0.3))) for _ in range(rng.randint(1, 3)))
            ]
            budgets["tokens_per_day"] = caps
        if budgets["over"] == "refuse" and not budgets.keys() & {"usd_per_day", "usd_per_request_max"}:
            # Else many a policy that refuses would have nothing to refuse for.
            budgets["usd_per_request_max"] = round(size.call_usd * self.bite.uniform(0.3, 3), 6)
        return budgets

    def _usd_caps(self, lanes: list[str]) -> Any:
        rng = self.rng
        total = round(self.size.day_usd * rng.uniform(0.02, 0.8), 6)
        if rng.random() < 0.3:
            return total
        caps: list[dict[str, Any]] = [{"max": total}] if rng.random() < 0.4 else []
        for scope in rng.sample(("tier", "tier", "endpoint", "user", "team", "user_profile"), rng.randint(1, 3)):
            whom = {"tier": rng.choice(lanes)} if scope == "tier" else self._whom(scope)
            caps.append({**whom, "max": round(total * rng.uniform(0.02, 0.6), 9)})
        return caps

    def _whom(self, scope: str) -> dict[str, str]:
        names = {
            "user_profile": ("free", "free", "pro"), "endpoint": ("/chat", "/lead", "/simple"),
            "user": ("u0", "u1", "u2"), "team": ("sales", "ops"),
        }  # fmt: skip
        return {scope: self.rng.choice(names[scope])}

    def _cache(self) -> dict[str, Any]:
        rng = self.rng
        scopes = ("app", "endpoint", "team", "user", "model", "user_profile", "session")
        exact: dict[str, Any] = {"ttl": rng.choice(("0s", "30m", "90m", "3h", "6h", "12h", "2d", "2d"))}
        if rng.random() < 0.4:
            exact["ttl_from"] = rng.choice(("insert", "last_hit", "last_hit"))
        if rng.random() < 0.8:
            exact["scope"] = rng.sample(scopes, rng.choice((0, 0, 0, 1, 1, 2)))
        if rng.random() < 0.4:
            exact["capacity"] = rng.choice((1, 3, 8, 20, "1k"))
        if rng.random() < 0.25:
            exact["max_temperature"] = rng.choice((0, 0.2, 0.7, 1))
        cache: dict[str, Any] = {"exact": exact}
        if rng.random() < 0.35:
            chosen = ("personal_data", "endpoint:/lead", "endpoint:/check*", "team:ops", "intent:faq", "user_id:u1")
            cache["exclude"] = rng.sample(chosen, rng.randint(1, 2))
        return cache

    def _semantic(self, lanes: list[str]) -> dict[str, Any]:
        rng = self.near
        made: dict[str, Any] = {"serve_min": rng.choice((1, 0.99, 0.97, 0.95, 0.9, 0.9))}
        if rng.random() < 0.5:
            made["refresh_min"] = rng.choice((made["serve_min"], 0.9, 0.85))
            made["refresh_tier"] = rng.choice(lanes)
        made["ttl"] = rng.choice(
            ("0s", "1h", "6h", "1d", "1d", "3d", [{"months": [3, 5], "ttl": "30m"}, {"ttl": "2h"}],
             [{"months": [1, 6], "ttl": "6h"}, {"ttl": "10m"}])
        )  # fmt: skip
        if rng.random() < 0.3:
            parts = ("intent", "endpoint", "language", "origin", "destination", "budget")
            made["key"] = rng.sample(parts, rng.randint(1, 2))
        return made

    def _attempts(self, lanes: list[str], usual: str) -> dict[str, Any]:
        """Retries, fallbacks, a hedge, an escalation, limits and a kill switch, or some of them.

        `usual` is the lane of most calls.
        """
        rng, made = self.rng, {}
        if rng.random() < 0.5:
            made["retries"] = {"max": rng.choice((0, 1, 1, 2, 3)), "backoff_s": rng.choice((0, 0.5, 60, 1200))}
            if rng.random() < 0.5:
                made["retries"]["on"] = rng.sample(
                    ("timeout", "rate_limit", "server_error", "error"), rng.randint(1, 4)
                )
        if len(lanes) > 1 and rng.random() < 0.9:
            made["fallbacks"] = self._fallbacks(lanes)
        if rng.random() < 0.35:
            made["hedge"] = {"tier": rng.choice(lanes), "after_s": rng.choice((0, 0.5, 0.9, 2, 5))}
        if len(lanes) > 1 and rng.random() < 0.9:
            made["escalate"] = self._escalate(lanes, usual)
        if rng.random() < 0.65:
            names = rng.choice((PROVIDERS[:1], PROVIDERS[:2], PROVIDERS, PROVIDERS[1:]))  # most calls go to the first
            made["limits"] = {name: self._limit() for name in names}
        if rng.random() < 0.6:
            made["kill_switch"] = {
                "error_ratio": rng.choice(("5%", "10%", 0.125, "25%", "50%")),
                "window": rng.choice(("1m", "30m", "3h", "12h")),
                "min_requests": rng.choice((1, 2, 3, 5, 10)),
                "cooldown": rng.choice(("1m", "20m", "2h", "9h")),
            }
        return made

    def _fallbacks(self, lanes: list[str]) -> dict[str, Any]:
        """For each lane some of those that stand before it in a shuffled order, so that no chain ends in itself."""
        order = self.rng.sample(lanes, len(lanes))
        return {
            name: self.rng.sample(order[:at], self.rng.randint(1, min(at, 2)))
            for at, name in enumerate(order)
            if at and self.rng.random() < 0.9
        }

    def _escalate(self, lanes: list[str], usual: str) -> dict[str, Any]:
        rng = self.rng
        low = lanes.index(usual) if usual in lanes[:-1] and rng.random() < 0.9 else rng.randrange(len(lanes) - 1)
        reasons = ("error", "refusal", "truncated", "truncated", "no_evidence", "low_score", "wrong_register")
        made = {
            "from": lanes[low], "to": rng.choice(lanes[low + 1 :]),
            "when": sorted(set(rng.sample(reasons, rng.choice((1, 2, 3, 4))))),
        }  # fmt: skip
        if made["when"] != ["error"]:  # a log that shows too few endings of answers needs it
            made["ratio"] = rng.choice(("20%", "60%", 0.9))
        return made

    def _limit(self) -> dict[str, Any]:
        rng, tokens = self.rng, self.size.day_tokens
        kinds = {
            "requests_per_min": rng.choice((1, 1, 2, 4)),
            "tokens_per_min": max(1, int(tokens * rng.choice((0.003, 0.01, 0.03)))),
            "requests_per_day": rng.choice((5, 20, 60)),
            "tokens_per_day": max(1, int(tokens * rng.choice((0.02, 0.2, 0.5)))),
        }
        made: dict[str, Any] = {name: kinds[name] for name in rng.sample(list(kinds), rng.choice((1, 1, 2)))}
        if rng.random() < 0.75:
            made["over"] = rng.choice(("queue", "fallback", "fallback", "error"))
        return made


def text_of(policy: dict[str, Any]) -> str:
    """The policy as a file: JSON is YAML."""
    return json.dumps(policy, ensure_ascii=False)


STAGES = (
    "exact cache", "semantic cache", "routing", "learned router", "raise and floor", "sticky", "degrade", "refuse",
    "output caps", "context fit", "retries and timeouts", "fallbacks", "limits", "kill switch", "escalation",
)  # fmt: skip


def without(policy: dict[str, Any], stage: str) -> dict[str, Any] | None:
    """The same policy with one stage left out, None where it has none."""
    left = json.loads(json.dumps(policy))
    routing, over = left["routing"], left.get("budgets", {}).get("over")
    lanes = [*left["tiers"].values(), *left.get("specialists", {}).values()]
    match stage:
        case "exact cache" | "semantic cache":
            left.get("cache", {}).pop(stage.partition(" ")[0], None)
        case "routing":
            left["routing"] = {key: value for key, value in routing.items() if key not in {"rules", "matrix"}}
        case "learned router":
            routing.pop("classifier", None)
        case "raise and floor":
            left["routing"] = {key: value for key, value in routing.items() if key not in {"raise", "floors"}}
        case "sticky":
            routing.pop("sticky", None)
        case "degrade" | "refuse":
            if over == stage:
                del left["budgets"]
        case "output caps" | "context fit":
            for lane in lanes:
                lane.pop("max_output_tokens" if stage == "output caps" else "context_tokens", None)
        case "retries and timeouts":
            for part in (left, *lanes):
                for key in ("retries", "hedge", "timeout_s"):
                    part.pop(key, None)
        case _:
            left.pop({"kill switch": "kill_switch", "escalation": "escalate"}.get(stage, stage), None)
    return None if left == policy else left
