"""A profile in place of a log: what a policy may ask of it, and the verdicts on texts that it carries.

A simulation over a profile gives what one over its log gives, or it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from costctl.errors import CostctlError, ExitCode
from costctl.formats.profile import Told, profile_of
from costctl.policy.caps import TokenCap, UsdCap
from costctl.policy.keys import Part
from costctl.policy.schema import Policy
from costctl.policy.when import All, Any_, Not, OneOf
from costctl.reuse.semantic_cache import ppb
from costctl.store import Store

USERS = ("user", "user_id", "caller")
"""Fields whose names a profile holds as hashes: users, and callers, which may be people."""


def refuse_unfit(store: Store, policy: Policy, embedding: str | None) -> None:
    """Refuse what a profile cannot answer as its log would; nothing where a log was audited last.

    Raises:
        CostctlError: E422 for names of users or callers and for experiments, E423 for similarities below those it
            carries or by another embedding.
    """
    told = profile_of(store)
    if told is None:
        return
    if policy.experiments:
        said = "experiments: users and sessions are divided by their ids, and a profile holds only keyed hashes of them"
        raise CostctlError("E422", said, "simulate the log itself, or leave experiments out", ExitCode.COVERAGE)
    if named := sorted(set(_named(policy))):
        said = f"the policy names {'users' if len(named) > 1 else 'a user'} or callers ({', '.join(named[:3])}), and a "
        said += "profile holds only keyed hashes of them"
        hint = "simulate the log itself, or say it by user_profile, app or team"
        raise CostctlError("E422", said, hint, ExitCode.COVERAGE)
    if policy.cache.semantic is not None and told.texts is not None:
        _refuse_similarity(policy, told.texts, embedding)


def _refuse_similarity(policy: Policy, texts: Mapping[str, Any], embedding: str | None) -> None:
    spec = policy.cache.semantic
    assert spec is not None
    name = "serve_min" if spec.refresh_min is None else "refresh_min"
    lowest = getattr(spec, name)
    if ppb(lowest) < texts["lowest_ppb"]:
        carried = texts["lowest_ppb"] / 10**9
        said = f"cache.semantic.{name} is {lowest}, and the profile carries similarities from {carried:.2f} on"
        raise CostctlError("E423", said, "raise it, or simulate the log itself", ExitCode.COVERAGE)
    if embedding is not None and embedding != texts["asked_embedding"]:
        said = f"the profile's similarities are by {texts['embedding']}, not by {embedding}"
        raise CostctlError("E423", said, "write it with the same --embedding: costctl profile LOG", ExitCode.COVERAGE)


def _named(policy: Policy) -> Iterator[str]:
    """The users and callers that a policy names, wherever it does."""
    for entry in policy.cache.exclude:
        field, _, name = entry.partition(":")
        if field in USERS and name:
            yield name
    yield from _users(policy)


def _users(part: Any) -> Iterator[str]:
    match part:
        case OneOf(field, values):
            yield from values if field in USERS else ()
        case UsdCap(scope="user", name=str(name)) | TokenCap(scope="user", name=name):
            yield name
        case All(parts) | Any_(parts):
            yield from _users(parts)
        case Not(one):
            yield from _users(one)
        case Part():
            yield from _users(tuple(getattr(part, field) for field in type(part).model_fields))
        case Mapping():
            yield from _users(tuple(part.values()))
        case tuple():
            yield from (name for one in part for name in _users(one))


def carried_scores(store: Store, router: str) -> bool:
    """Put the profile's scores into `router_score`; false where a log was audited last.

    Raises:
        CostctlError: E424 where they are of another learned router than this one (its digest).
    """
    told = profile_of(store)
    if told is not None:
        _take(store, told, told.router == router, "router_score", "router_score", "routing.classifier reads prompts")
    return told is not None


def carried_answers(store: Store, rules: str) -> bool:
    """Put the profile's verdicts into `answer_check`; false where a log was audited last.

    Raises:
        CostctlError: E424 where they are by other rules than these (their digest).
    """
    told = profile_of(store)
    if told is not None:
        what = "post_process.validate reads answers"
        _take(store, told, told.answer_rules == rules, "answer_check", "is_answer_broken", what)
    return told is not None


def _take(store: Store, told: Told, is_carried: bool, table: str, column: str, what: str) -> None:
    if not is_carried:
        said = f"{what}, and the profile carries no verdicts for these rules"
        raise CostctlError("E424", said, "write it for them: costctl profile LOG --policy FILE", ExitCode.COVERAGE)
    mine = "file_id IN (SELECT file_id FROM report_file)"
    store.execute(f"DELETE FROM {table} WHERE {mine}")
    store.execute(
        f"INSERT INTO {table} SELECT file_id, source_line, {column} FROM profile_row "
        f"WHERE {column} IS NOT NULL AND {mine}"
    )
