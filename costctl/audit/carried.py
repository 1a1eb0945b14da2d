"""What a log carries, and what each command can therefore do: conditions on a request, as data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple


class Fact(NamedTuple):
    """Something that a request may carry; `sql` says of one request whether it does, `fields` what gives it."""

    name: str
    sql: str
    fields: str


class Feature(NamedTuple):
    """Something that a command can do with requests that carry all of `needs`.

    `of_sums`: with sums over requests, too; `only_sums`: with nothing else. `reads_texts`: the texts are read again,
    which a profile does not hold.

    `short` is its name in a list of many; none where only the file tells, as what it needs is of no format's own.
    """

    command: str
    name: str
    needs: tuple[str, ...]
    short: str = ""
    of_sums: bool = False
    only_sums: bool = False
    reads_texts: bool = False


FACTS = (
    Fact("model", "coalesce(response_model, request_model) IS NOT NULL", "request_model"),
    Fact("tokens", "input_uncached_tokens IS NOT NULL AND output_tokens IS NOT NULL", "input_tokens, output_tokens"),
    Fact("date", "started_at IS NOT NULL", "started_at"),
    Fact("order", "started_at IS NOT NULL OR replay_offset_ms IS NOT NULL", "started_at or replay_offset_ms"),
    Fact("latency", "latency_ms IS NOT NULL", "latency_ms"),
    Fact("first token", "time_to_first_token_ms IS NOT NULL", "time_to_first_token_ms"),
    Fact("cached tokens", "cache_read_tokens IS NOT NULL", "cache_read_tokens"),
    Fact("cost", "logged_cost IS NOT NULL", "logged_cost"),
    Fact("prompt", "prompt_key IS NOT NULL", "messages or prompt_sha256"),
    Fact("prompt text", "prompt_chars IS NOT NULL", "messages"),
    Fact("answer text", "response_chars IS NOT NULL", "response_text"),
    Fact("request id", "request_id IS NOT NULL", "request_id"),
    Fact("session", "session_id IS NOT NULL", "session_id"),
    Fact("user", "user_id IS NOT NULL", "user_id"),
    Fact("user profile", "user_profile IS NOT NULL", "user_profile"),
    Fact("team", "team IS NOT NULL", "team"),
    Fact("endpoint or app", "endpoint IS NOT NULL OR app IS NOT NULL", "endpoint"),
    Fact("score", "quality_score IS NOT NULL", "quality_score"),
    Fact("prefix", "session_id IS NOT NULL OR prefix_blocks IS NOT NULL OR prompt_chars IS NOT NULL",
         "session_id, prefix_blocks or messages"),
    Fact("prefix blocks", "prefix_blocks IS NOT NULL", "prefix_blocks, block_tokens"),
)  # fmt: skip
# What of that a format's own word says (`LogFormat.carries`); nearly all carry the rest of it.
OF_FORMATS = {
    "text": ("prompt", "prompt text", "answer text", "prefix"), "time": ("date", "order"), "order": ("order",),
    "latency": ("latency",), "cache": ("cached tokens",), "cost": ("cost",), "session": ("session", "prefix"),
    "user": ("user",), "prefix": ("prefix", "prefix blocks"),
}  # fmt: skip
USUAL = ("model", "tokens")
FEATURES = (
    Feature("audit", "token counts", ("tokens",), "tokens", of_sums=True),
    Feature("audit", "spend by model", ("model", "tokens"), "spend", of_sums=True),
    Feature("audit", "spend by day, prices of the day", ("model", "tokens", "date"), "days", of_sums=True),
    Feature(
        "audit", "cached tokens at their price", ("model", "tokens", "cached tokens"), "cached tokens", of_sums=True
    ),
    Feature("audit", "spend by endpoint", ("endpoint or app",)),
    Feature("audit", "spend by user", ("user",), "users", of_sums=True),
    Feature("audit", "latency", ("latency",), "latency"),
    Feature("audit", "logged cost beside list cost", ("model", "tokens", "cost"), "logged cost", of_sums=True),
    Feature("audit", "exact repeats", ("model", "prompt", "date"), "exact repeats"),
    Feature("audit", "near repeats", ("model", "prompt text", "date"), "near repeats", reads_texts=True),
    Feature("audit", "missed prompt caching", ("tokens", "cached tokens", "order", "prefix"), "missed prompt caching"),
    Feature("audit", "prefix cache by its size", ("tokens", "prefix blocks", "order"), "prefix cache"),
    Feature("audit", "tiers by what was asked", ("prompt text",), "tiers"),
    Feature("simulate", "replay in order", ("model", "tokens", "order"), "replay"),
    Feature("simulate", "exact cache", ("prompt", "order"), "exact cache"),
    Feature("simulate", "semantic cache", ("prompt text", "order"), "semantic cache"),
    Feature("simulate", "prompt caches", ("tokens", "order", "prefix"), "prompt caches"),
    Feature("simulate", "latency", ("order", "latency"), "latency"),
    Feature("simulate", "budgets by day", ("tokens", "date"), "budgets"),
    Feature("simulate", "stickiness, history", ("session", "order"), "sessions"),
    Feature("simulate", "arms by user", ("user", "order"), "arms"),
    Feature("simulate", "quality", ("score", "order")),
    Feature("simulate", "--scores, --probes", ("request id", "order")),
    Feature("reconcile", "by day and model", ("model", "tokens", "date"), "by day and model", of_sums=True),
    Feature("reconcile", "as the invoice", ("date",), "as the invoice", of_sums=True, only_sums=True),
)  # fmt: skip
REPLAY = next(feature for feature in FEATURES if feature.command == "simulate")  # all else of it rests on that


def computable(
    carries: Sequence[str], lacks: Sequence[str] = (), *, are_sums: bool = False, has_texts: bool = True
) -> Iterator[Feature]:  # fmt: skip
    """The features that a log of a format has whose records carry all that the format can."""
    facts = {fact for word in carries for fact in OF_FORMATS[word]} | {fact for fact in USUAL if fact not in lacks}
    for feature in FEATURES:
        if (are_sums and not feature.of_sums) or (feature.only_sums and not are_sums):
            continue
        if feature.reads_texts and not has_texts:
            continue
        needs = {*feature.needs, *(REPLAY.needs if feature.command == REPLAY.command else ())}
        if feature.short and facts >= needs:
            yield feature


def listed(features: Iterable[Feature]) -> str:
    """Features by command, in their order.

    >>> listed(computable(["time"], ["tokens"])), listed(computable(["time"], are_sums=True))
    ('', 'audit: tokens, spend, days; reconcile: by day and model, as the invoice')
    """
    by_command = {
        command: [one.short for one in found] for command, found in groupby(features, lambda one: one.command)
    }
    return "; ".join(f"{command}: {', '.join(names)}" for command, names in by_command.items())
