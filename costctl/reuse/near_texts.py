"""The texts of the log as the semantic cache needs them: vectors, guards and slots of each distinct prompt.

The log is read again for it, once: what is kept lies beside the workspace and holds no text.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costctl.errors import CostctlError, ExitCode
from costctl.formats.build import build
from costctl.formats.content import listed, turn
from costctl.formats.sources import Reader
from costctl.reuse import embed
from costctl.reuse.answer_power import apart_pairs, with_power
from costctl.reuse.false_hits import AnswerTest, Verdicts, answer_test, by_answers
from costctl.reuse.given_vectors import GivenVectors, VectorTake
from costctl.reuse.guards import guard_codes
from costctl.reuse.slots import SLOTS, slot
from costctl.reuse.vectors import Int, Vectors
from costctl.store import Store

NOTHING = -1
ANSWER_CHARS = 1_000  # so much of an answer tells whether it says the same as another


@dataclass(frozen=True)
class NearTexts:
    """Rows of the log with the numbers of their prompt and answer, and what is known of each distinct one."""

    file_id: Int
    source_line: Int
    prompt: Int  # the last message of the user; -1 none
    answer: Int
    vectors: Vectors  # by prompt
    guard: Int
    slots: Int  # by slot, then prompt: equal numbers are equal values, -1 open
    answer_vectors: Vectors
    name: NDArray[Any]  # of the embedding
    # How many prompts carry different vectors in their records: the first one counts.
    differing_count: NDArray[Any] = field(default_factory=lambda: np.array(0), kw_only=True)

    @property
    def why_unjudged(self) -> str:
        """Why nothing says whether two of these answers are alike; empty where their vectors say it."""
        return ""

    def test(self, answer: Int, node: Int, text: Int, scope: Int) -> AnswerTest | None:
        """How alike answers are in this log; None: too few of them.

        `answer` and `node` go by call, `text` and `scope` by node.
        """
        found = answer_test(self.answer_vectors, answer, node)
        if found is None:
            return None
        pairs = apart_pairs(self.vectors, self.guard, answer, node, text, scope)
        return with_power(found, self.answer_vectors, answer, node, pairs)

    def judged(self, answer: Int, test: AnswerTest, at: Int, answered_by: Int) -> Verdicts:
        """Each hit (two positions) is right where the two answers are alike; without them it is unknown."""
        return by_answers(self.answer_vectors, answer, test, at, answered_by)


class TextTake:
    """Takes the last message of the user and the beginning of the answer."""

    def __call__(self, messages: Any, system: Any, answer: Any) -> tuple[str | None, str | None] | None:
        """Both None where the log has neither."""
        asked = None
        for message in listed(messages):
            role, text, _ = turn(message)
            if role == "user":
                asked = text
        said = answer[:ANSWER_CHARS].strip() if isinstance(answer, str) else ""
        return None if not asked and not said else (asked or None, said or None)


def near_texts(store: Store, reader: Reader | None, folder: Path | None) -> NearTexts:
    """What the log that was audited last says, from `folder` where it was read before.

    Raises:
        CostctlError: E124 for a file that is gone or has changed, E419 where the log has no prompts.
    """
    files = store.query(
        "SELECT f.file_id, f.identity FROM source_file f WHERE f.file_id IN (SELECT file_id FROM request "
        "WHERE turn_count IS NOT NULL) ORDER BY f.file_id"
    )
    if not files or reader is None or folder is None:
        raise CostctlError(
            "E419",
            "cache.semantic compares prompts, and this log has no text of any",
            "leave the key out of the policy",
            ExitCode.COVERAGE,
        )
    name = reader.embedding or embed.default()
    said = f"{build()} {name} {ANSWER_CHARS} {files}"
    target = folder / f"texts-{hashlib.sha256(said.encode()).hexdigest()[:24]}.npz"
    known = load(target)
    if known is not None:
        return NearTexts(**known)
    found = _read(store, reader, name, [file_id for file_id, _ in files])
    save(target, {one.name: getattr(found, one.name) for one in fields(found)})
    return found


def _read(store: Store, reader: Reader, name: str, file_ids: list[int]) -> NearTexts:
    from costctl.formats.contents import read_contents  # noqa: PLC0415  (heavy)

    given = GivenVectors(store) if name == embed.GIVEN else None
    prompts: dict[str, int] = {}
    answers: dict[str, int] = {}
    rows: list[tuple[int, int, int, int]] = []
    take = TextTake() if given is None else VectorTake(TextTake())
    for found in read_contents(store, reader, take, file_ids):
        for number, value in zip(found.numbers, found.values, strict=True):
            if value is not None:
                asked = _numbered(prompts, value[0])
                rows.append((found.file_id, number, asked, _numbered(answers, value[1])))
                if given is not None:
                    given.add(asked, value[2], found.file_id, number)
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    texts = list(prompts)
    made = embed.embed(texts, name) if given is None else given.embedding(len(texts))
    slots = np.array([_slot_codes(name, texts) for name in SLOTS], dtype=np.int64).reshape(len(SLOTS), -1)
    file_id, line, prompt, answer = columns
    said = embed.embed(list(answers), name if given is None else None)
    return NearTexts(
        file_id, line, prompt, answer, made.vectors, guard_codes(texts), slots, said.vectors, np.array(made.name),
        differing_count=np.array(0 if given is None else given.differing_count),
    )  # fmt: skip


def _numbered(known: dict[str, int], text: str | None) -> int:
    return NOTHING if text is None else known.setdefault(text, len(known))


def _slot_codes(name: str, texts: Sequence[str]) -> list[int]:
    known: dict[str, int] = {}
    return [_numbered(known, slot(name, text)) for text in texts]


def save(target: Path, columns: dict[str, Any]) -> None:
    """Write arrays so that no other process ever sees half of them."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = target.with_suffix(f".{os.getpid()}.tmp")
    with aside.open("wb") as file:
        os.fchmod(file.fileno(), 0o600)
        np.savez(file, **columns)
    aside.replace(target)


def load(source: Path) -> dict[str, Any] | None:
    """The arrays of a file of ours; None where there is none or it is damaged."""
    try:
        with np.load(source, allow_pickle=False) as found:
            return {name: found[name] for name in found.files}
    except (OSError, ValueError, EOFError, KeyError):
        return None
