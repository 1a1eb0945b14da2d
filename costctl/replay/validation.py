"""Answers that break the policy's rules: tags, contacts, links. The texts of the log say which."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import numpy as np

from costctl.formats.sources import Reader
from costctl.policy.stages import Validation
from costctl.replay.calls import Flag, plain
from costctl.replay.carried import carried_answers
from costctl.store import Store

_TAG = re.compile(r"</?([A-Za-z][A-Za-z0-9-]*)(?:\s[^<>]*)?/?>")
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_CONTACT = re.compile(
    r"[\w.+-]+@[\w-]+\.\w|\b(?:mailto|tel):|\bwa\.me/"
    r"|\+[0-9][0-9 ().-]{7,}[0-9]|(?<![\w.,:/-])\(?[0-9]{2,4}\)?[ .-][0-9]{3}[ .-]?[0-9]{4}(?![\w/-])"
)
_LINK = re.compile(r"(?:https?://|\bwww\.)([\w.-]+)", re.IGNORECASE)


class AnswerTake:
    """Whether an answer breaks the rules; None where the log has no text of it."""

    def __init__(self, spec: Validation) -> None:
        self._tags = None if spec.allowed_tags is None else frozenset(tag.lower() for tag in spec.allowed_tags)
        self._no_contacts = spec.no_contacts
        self._links = tuple(host.lower().removeprefix("www.") for host in spec.forbidden_links)

    def __call__(self, messages: Any, system: Any, answer: Any) -> tuple[bool] | None:
        """Tags in code are shown and not obeyed, so they do not count."""
        if not isinstance(answer, str) or not answer:
            return None
        return (self._has_other_tag(answer) or self._has_contact(answer) or self._has_link(answer),)

    def _has_other_tag(self, answer: str) -> bool:
        if self._tags is None or "<" not in answer:
            return False
        return any(tag.lower() not in self._tags for tag in _TAG.findall(_CODE.sub("", answer)))

    def _has_contact(self, answer: str) -> bool:
        return self._no_contacts and _CONTACT.search(answer) is not None

    def _has_link(self, answer: str) -> bool:
        if not self._links:
            return False
        hosts = (host.lower().rstrip(".") for host in _LINK.findall(answer))
        return any(host == name or host.endswith(f".{name}") for host in hosts for name in self._links)


def digest_of(spec: Validation) -> str:
    """A name for everything that these rules say."""
    return hashlib.sha256(repr(spec).encode()).hexdigest()


def remember_answers(store: Store, spec: Validation, reader: Reader | None) -> None:
    """Read the answers of the log that was audited last by these rules, unless that was done before.

    Raises:
        CostctlError: E124 for a file that is gone or has changed, E424 for a profile without verdicts by these rules.
    """
    import polars as pl  # noqa: PLC0415  (heavy)

    from costctl.formats.contents import remember  # noqa: PLC0415  (heavy)

    rules = digest_of(spec)
    if store.query("SELECT DISTINCT rules FROM answer_check_rules") != [(rules,)]:
        for table in ("answer_check", "answer_check_file", "answer_check_rules"):
            store.execute(f"DELETE FROM {table}")
        store.insert("answer_check_rules", ["rules"], [(rules,)])
    if carried_answers(store, rules):
        return
    files = store.query("SELECT DISTINCT file_id FROM request WHERE response_chars > 0 ORDER BY file_id")
    if not files or reader is None:
        return  # nothing to check: how many that are is told (W219)
    known = {file_id for (file_id,) in store.query("SELECT file_id FROM answer_check_file")}
    unread = [file_id for (file_id,) in files if file_id not in known]
    remember(store, reader, AnswerTake(spec), "answer_check", {"is_broken": pl.Boolean}, unread)


def broken_answers(store: Store, count: int) -> tuple[Flag, Flag]:
    """The calls whose answer in the log breaks the rules, and those whose answer is known; of so many calls."""
    found = store.numpy(
        "SELECT p.position, a.is_broken FROM replay_place p JOIN answer_check a USING (file_id, source_line)"
    )
    broken, known = np.zeros(count, dtype=np.bool_), np.zeros(count, dtype=np.bool_)
    place = plain(found["position"])
    known[place] = True
    broken[place] = plain(found["is_broken"])
    return broken, known
