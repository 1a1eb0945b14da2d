"""What is taken of the records of one task: raw columns, and derived facts instead of their text.

Records are let go a thousand at a time, while a core's cache still holds them: a whole block of
parsed records took 15 % longer and many times the memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from costctl.formats.base import LeftOutUsage, LogFormat, Record
from costctl.formats.columns import RawColumns, Values, Ways, raw_columns
from costctl.formats.content import COLUMNS as CONTENT_COLUMNS
from costctl.formats.content import ContentReader

CHUNK_RECORDS = 1_000


class Gathered:
    """Columns over all records added so far, each as long as `height`.

    `typed` holds what the log says, `raw` the columns of it that can be read only as a whole, `derived`
    what is kept of its content under the names of the canonical columns, `texts` the user's text where
    there is one, for the tier rules only. `left_out` is what records count that are no requests.
    """

    def __init__(self, log_format: LogFormat, hash_key: bytes) -> None:
        from costctl.formats.typed import TypedColumns, is_whole  # noqa: PLC0415  (a parent of workers gathers nothing)

        self.height = 0
        self.raw: RawColumns = {}
        self.typed, self.derived = TypedColumns(is_day_first=log_format.is_day_first), TypedColumns()
        self._is_whole = is_whole
        self.texts: list[str | None] = []
        self.left_out: list[LeftOutUsage] = []  # of records that are no requests
        self._format = log_format
        self._reader = ContentReader(hash_key)
        self._ways: Ways = {}

    def add(self, records: Sequence[Record]) -> None:
        """Take what is kept of these records, which come after all others."""
        height = len(records)
        raw = raw_columns(records, self._format, self._ways)
        blank: Values = [None] * height
        derived: dict[str, Values] = {}
        messages, systems = raw.pop("messages", blank), raw.pop("system", blank)
        if messages is blank and systems is blank:
            self.texts += blank
        else:
            contents = list(map(self._reader.read, messages, systems))
            *columns, texts = zip(*contents, strict=True)
            derived = dict(zip(CONTENT_COLUMNS, map(list, columns), strict=True))
            self.texts += texts
        if "response_text" in raw:
            derived["response_chars"] = list(map(_length, raw.pop("response_text")))
        raw.pop("embedding", None)
        if "api_key" in raw:
            derived["api_key_id"] = list(map(self._key_id, raw.pop("api_key")))
        whole = {name: values for name, values in raw.items() if self._is_whole(name)}
        _extend(self.raw, whole, self.height, height)
        self.typed.add({name: values for name, values in raw.items() if name not in whole}, self.height)
        self.derived.add_known(derived, self.height)
        self.height += height

    def _key_id(self, key: Any) -> str | None:
        return None if key is None or key == "" else f"key-{self._reader.hash(str(key)):016x}"


def _length(text: Any) -> int | None:
    return None if text is None else len(text if isinstance(text, str) else str(text))


def _extend(columns: dict[str, Values], more: Mapping[str, Values], before: int, added: int) -> None:
    """Append; a column that begins late or ends early is filled with None."""
    for name, values in more.items():
        if name in columns:
            columns[name] += values
        else:
            columns[name] = [None] * before + values
    for name in columns.keys() - more.keys():
        columns[name] += [None] * added
