"""Writing a profile: what a simulation reads of the log that was audited last, without its texts.

Ids become keyed hashes, prompts numbers. Of texts it says which are near, and of answers which say the same; no vector
and no text is in it. `formats/profile` reads it, `replay/carried` says what may be asked of it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from costctl import __version__
from costctl.errors import CostctlError
from costctl.formats import profile as form
from costctl.formats.prefixes import remember_prefixes, show_prefixes
from costctl.formats.sources import Reader
from costctl.policy.schema import Policy
from costctl.replay.calls import load_calls
from costctl.replay.near import WHOLE_PPB, base_nodes, know_texts, near_calls
from costctl.replay.router_scores import digest_of as router_digest
from costctl.replay.router_scores import remember_scores
from costctl.replay.validation import digest_of as rules_digest
from costctl.replay.validation import remember_answers
from costctl.report import Report
from costctl.reuse import embed
from costctl.reuse.carried_pairs import Asked, Carried, carried_pairs
from costctl.reuse.carried_texts import test_said
from costctl.reuse.neighbours import Pairs
from costctl.store import Store
from costctl.tiers.learned import Router

FOLDER = Path(__file__).parent
SALT_CHARS_MIN = 16
# Told of a failure, but for names: a sentence may hold words of the prompt. The same classes as in attempts.sql.
_NAME = "'[A-Za-z0-9_.:/-]{1,64}'"
_NAMED = {
    "error_type": f"CASE WHEN regexp_full_match(error_type, {_NAME}) THEN error_type "
    "WHEN regexp_matches(lower(error_type), 'rate.?limit|429|throttl|too.?many') THEN 'rate_limit' "
    "WHEN regexp_matches(lower(error_type), 'time.?d?.?out') THEN 'timeout' "
    r"WHEN regexp_matches(lower(error_type), 'server|overload|unavailable|internal|5\d\d') THEN 'server_error' "
    "WHEN error_type IS NOT NULL THEN 'other' END",
    "finish_reason": f"CASE WHEN finish_reason IS NULL OR regexp_full_match(finish_reason, {_NAME}) "
    "THEN finish_reason ELSE 'other' END",
}  # fmt: skip


class Wanted(NamedTuple):
    """What a profile is to carry: by which key ids are hashed, and for which policy verdicts on texts."""

    salt: str
    rules: str  # digest of the tier rules of the audit
    policy: Policy | None = None
    router: Router | None = None
    reading: Mapping[str, int] | None = None  # what became of the records of the log, as its audit counted them


def records_of(audit: Report) -> dict[str, int]:
    """What became of the records of a log, as its audit counted them."""
    return {name: int(str(audit.totals[name])) for name in form.READING}


def write_profile(store: Store, reader: Reader, wanted: Wanted, target: Path) -> Report:
    """Write the profile of the log that was audited last to `target`, whole or not at all; says what it holds.

    Equal logs, salts and policies give equal bytes.

    Raises:
        CostctlError: E425 for a salt that could be guessed, E124 for a log that has changed, E424 for a profile as the
            log, E410, E414, E415, E418 as `load_calls`.
    """
    if len(wanted.salt) < SALT_CHARS_MIN:
        said = f"a salt of {len(wanted.salt)} characters could be guessed, and with it every id"
        raise CostctlError("E425", said, f"give at least {SALT_CHARS_MIN} random characters, or none for a new one")
    if form.profile_of(store) is not None:
        raise form.no_text("the log")
    calls = load_calls(store)
    remember_prefixes(store, reader)
    show_prefixes(store)
    for page in ("profile_order.sql", "profile_blocks.sql"):
        store.execute((FOLDER / page).read_text("utf-8"))
    texts = _texts(store, reader, calls.count)
    answer_rules, router = _verdicts(store, reader, wanted)
    told = form.Told(
        int(store.scalar("SELECT count(*) FROM profile_order")), wanted.rules, texts, answer_rules, router,
        wanted.reading,
    )  # fmt: skip
    _rows(store, wanted.salt, has_answers=answer_rules is not None, has_router=router is not None)
    _write(store, form.dumped(told, __version__), target)
    return _report(store, told, calls.count, target)


def _texts(store: Store, reader: Reader, count: int) -> dict[str, Any] | None:
    """Make the tables of what is known of texts and answers; what the profile says of them, None without texts."""
    none = np.zeros(0, dtype=np.int64)
    told = None
    near = Carried(Pairs(none, none, none.astype(np.int32)), none, None, "")
    known: dict[str, Any] = {"prompt": none, "guard": none, "slots": np.zeros(0, dtype=object)}
    try:
        know_texts(store, reader)
    except CostctlError as error:
        if error.code != "E419":  # no text of any prompt
            raise
        store.append("near_row", dict.fromkeys(("file_id", "source_line", "prompt", "answer"), none), new="TEMP TABLE")
    else:
        found = near_calls(store, count)
        near = carried_pairs(found.texts, Asked(found.answer, *base_nodes(store, found.prompt)), WHOLE_PPB)
        known = {"prompt": np.arange(len(found.texts.guard)), "guard": found.texts.guard}
        known |= {f"slot_{at}": slot for at, slot in enumerate(found.texts.slots)}
        told = {
            "embedding": str(found.texts.name), "asked_embedding": reader.embedding or embed.default(),
            "lowest_ppb": WHOLE_PPB, "test": test_said(near.test), "why_no_answers": near.why_no_answers,
            "differing_count": int(found.texts.differing_count),
        }  # fmt: skip
    known |= {f"slot_{at}": none for at in range(form.SLOT_COUNT) if f"slot_{at}" not in known}
    known.pop("slots", None)
    store.append("carried_text", known, new="TEMP TABLE")
    store.append("carried_near", dict(zip(("one", "other", "similarity"), near.near, strict=True)), new="TEMP TABLE")
    store.append("carried_like", {"one": near.like >> 32, "other": near.like & 0xFFFFFFFF}, new="TEMP TABLE")
    store.execute((FOLDER / "profile_texts.sql").read_text("utf-8"))
    return told


def _verdicts(store: Store, reader: Reader, wanted: Wanted) -> tuple[str | None, str | None]:
    """Judge the texts for the policy; the digests of its rules for answers and of its router on text, None without."""
    rules = router = None
    if wanted.policy is not None and wanted.policy.post_process is not None:
        spec = wanted.policy.post_process.validation
        if spec is not None:
            remember_answers(store, spec, reader)
            rules = rules_digest(spec)
    if wanted.router is not None and wanted.router.needs_text:
        remember_scores(store, wanted.router, reader)
        router = router_digest(wanted.router)
    return rules, router


def _rows(store: Store, salt: str, *, has_answers: bool, has_router: bool) -> None:
    """Make the table `profile_rows`."""
    made = {
        **{name: f"substr(sha256($salt || '{name}:' || r.{name}), 1, 16)" for name in form.HASHED},
        "trace_id": "substr(sha256($salt || 'trace_id:' || o.call_name), 1, 16)",
        "api_key_id": "substr(sha256($salt || 'api_key_id:' || coalesce(k.name, r.api_key_id)), 1, 16)",
        "prompt_key": "p.number", "system_key": "s.number",
        "prefix_blocks": "CASE WHEN r.prefix_blocks IS NOT NULL THEN coalesce(b.blocks, []) END",
        **_NAMED, **{name: f"t.{name}" for name in form.BESIDE},
        "is_answer_broken": "c.is_broken" if has_answers else "NULL",
        "router_score": "g.score" if has_router else "NULL",
    }  # fmt: skip
    made = {**{name: f'r."{name}"' for name in form.CARRIED}, **made}
    columns = ", ".join(f'CAST({made[name]} AS {kind}) AS "{name}"' for name, kind in form.SCHEMA.items())
    page = (FOLDER / "profile_rows.sql").read_text("utf-8").replace("{columns}", columns)
    store.execute(page, {"salt": salt})


def _write(store: Store, told: str, target: Path) -> None:
    """The rows as Parquet; another process sees the whole file or none."""
    quoted = told.replace("'", "''")
    kind = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 15, PARQUET_VERSION v2, "
    kind += f"KV_METADATA {{{form.KEY!r}: '{quoted}'}}"
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        store.export_query("SELECT * EXCLUDE (number) FROM profile_rows ORDER BY number", aside, kind)
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)


def _report(store: Store, told: form.Told, call_count: int, target: Path) -> Report:
    """What is in the profile."""
    found = store.query(
        "SELECT count(DISTINCT text_number), coalesce(sum(len(near_texts)), 0), count(DISTINCT answer_number), "
        "coalesce(sum(len(like_answers)), 0), count(DISTINCT user_id) FROM profile_rows"
    )[0]
    names = ("text_count", "near_pair_count", "answer_count", "like_pair_count", "user_count")
    totals = {
        "request_count": told.row_count, "call_count": call_count,
        **{name: int(value) for name, value in zip(names, found, strict=True)}, "byte_count": target.stat().st_size,
    }  # fmt: skip
    return Report(
        "profile", totals, {}, (), {"profile": str(target), "profile_version": form.VERSION, "costctl": __version__}
    )
