"""Vectors of prompts that the log carries in a column `embedding`: rounded at once, and never kept as the log has them.

The vector of a prompt is that of the first record with this last user message; prompts whose records carry different
ones are counted. A prompt without one is like nothing but itself.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any

import numpy as np
import orjson

from costctl.errors import CostctlError, ExitCode
from costctl.report import counted
from costctl.reuse.embed import GIVEN, Embedding
from costctl.reuse.vectors import rounded
from costctl.store import Store

HINT = "a list of numbers, equally many in each record: --map embedding=COLUMN names it"
Texts = Callable[[Any, Any, Any], tuple[str | None, str | None] | None]
Told = tuple[str | None, str | None, bytes | str | None]
"""Prompt, answer, and the rounded vector, or what is wrong with it as text."""


class VectorTake:
    """Takes what another one does, and the vector beside it."""

    reads = ("embedding",)

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def __call__(self, messages: Any, system: Any, answer: Any, embedding: Any = None) -> Told | None:
        """None where the record has neither prompt nor answer."""
        found = self._texts(messages, system, answer)
        return None if found is None else (*found, packed(embedding))


def packed(value: Any) -> bytes | str | None:
    r"""The vector as a row of small whole numbers, one byte each; what is wrong with it; None where there is none.

    >>> packed([0.5, -1.0]), packed("[0.5, -1]") == packed([0.5, -1.0]), packed([]), packed(None)
    (b'@\x81', True, 'is empty', None)
    """
    if isinstance(value, str):
        try:
            value = orjson.loads(value) if value.strip() else None
        except orjson.JSONDecodeError:
            return "is no list of numbers"
    if value is None:
        return None
    if not isinstance(value, list) or not all(type(one) in (int, float) for one in value):
        return "is no list of numbers"
    if not value:
        return "is empty"
    try:
        if all(map(isfinite, value)):
            return rounded(np.array([value], dtype=np.float64)).tobytes()
    except OverflowError:
        pass
    return "holds a number that is not finite"


class GivenVectors:
    """Gathers the vectors by prompt."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[int, bytes] = {}
        self._differing: set[int] = set()
        self._first: tuple[int, int] | None = None  # file and line of the first vector

    def add(self, prompt: int, vector: bytes | str | None, file_id: int, line: int) -> None:
        """The vector of a record, whose prompt has this number, -1 none.

        Raises:
            CostctlError: E342 where it is no vector, or not of as many numbers as the first one.
        """
        if vector is None or prompt < 0:
            return
        if isinstance(vector, str):
            raise CostctlError("E342", f"{self._place(file_id, line)}: embedding {vector}", HINT, ExitCode.INPUT)
        if self._first is None:
            self._first = file_id, line
            self._size = len(vector)
        if len(vector) != self._size:
            first = self._place(*self._first)
            raise CostctlError(
                "E342",
                f"{self._place(file_id, line)}: embedding has {len(vector):,} numbers, that of {first} {self._size:,}; "
                "vectors of two models cannot be compared",
                HINT, ExitCode.INPUT,
            )  # fmt: skip
        if self._known.setdefault(prompt, vector) != vector:
            self._differing.add(prompt)

    @property
    def differing_count(self) -> int:
        """Prompts whose records carry vectors that differ after rounding."""
        return len(self._differing)

    def embedding(self, count: int) -> Embedding:
        """The vectors of so many prompts, by their number.

        Raises:
            CostctlError: E342 where the log carries none.
        """
        if self._first is None:
            raise CostctlError(
                "E342", "--embedding log: no prompt of this log has a vector beside it", HINT, ExitCode.COVERAGE
            )
        vectors = np.zeros((count, self._size), dtype=np.int8)
        for prompt, vector in self._known.items():
            vectors[prompt] = np.frombuffer(vector, dtype=np.int8)
        lacking = count - len(self._known)
        said = (
            f"; {lacking:,} of {counted(count, 'prompt')} {'has' if lacking == 1 else 'have'} none" if lacking else ""
        )
        return Embedding(f"{GIVEN}: {self._size:,} numbers each{said}", vectors)

    def _place(self, file_id: int, line: int) -> str:
        found = self._store.query("SELECT label FROM source_file WHERE file_id = $file_id", {"file_id": file_id})
        return f"{found[0][0]}:{line}"
