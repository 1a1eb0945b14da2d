"""Exports that a provider hands out page by page, of which the last page is not there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from costctl.errors import InputError
from costctl.formats.sources import Source, content_blocks
from costctl.formats.unpack import Truncated
from costctl.report import Warning

PAGED = frozenset({"openai_usage", "anthropic_report"})
_MORE = re.compile(rb'"has_more"\s*:\s*(true|false)')
_MORE_BYTES = 32  # the longest such text, which may lie on both sides of the end of a block


def missing_pages(files: Iterable[tuple[str, str]]) -> list[Warning]:
    """A warning for each kind of export (label, format) whose pages here all say that more follow."""
    said: dict[str, list[tuple[str, set[bytes]]]] = {}
    for label, log_format in files:
        if log_format in PAGED and Path(label).is_file():
            said.setdefault(log_format, []).append((label, _said_of_more(Path(label))))
    return [
        Warning(
            "W135", f"{min(label for label, more in pages if more)} says that more pages follow (has_more), and the "
            "last one is not here: its days are not whole, and later ones are missing",
            "ask for the next page (next_page) until has_more is false, and name all pages",
        )
        for pages in said.values()
        if set().union(*(more for _, more in pages)) == {b"true"}
    ]  # fmt: skip


def _said_of_more(path: Path) -> set[bytes]:
    """What the pages of a file say of whether more follow."""
    found: set[bytes] = set()
    before = b""
    with suppress(InputError, Truncated, OSError):
        for block in content_blocks(Source(path, str(path), False)):
            found.update(_MORE.findall(before + block))
            before = block[-_MORE_BYTES:]
    return found
