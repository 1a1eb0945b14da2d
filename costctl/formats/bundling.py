"""Which small files are read together; reading them is `bundles`, which a parent of workers does not import."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from costctl.errors import InputError
from costctl.formats.told import FileRead, Wanted

FILE_BYTES_MAX = 2**20
BUNDLE_BYTES, BUNDLE_FILES = 8 * 2**20, 250


def bundled(files: Sequence[Wanted]) -> Iterator[list[Wanted]]:
    """The files in their order: small ones that follow one another together, each large one alone."""
    bundle: list[Wanted] = []
    size = 0
    for wanted in files:
        more = wanted.source.path.stat().st_size
        if bundle and (more > FILE_BYTES_MAX or size + more > BUNDLE_BYTES or len(bundle) >= BUNDLE_FILES):
            yield bundle
            bundle, size = [], 0
        if more > FILE_BYTES_MAX:
            yield [wanted]
            continue
        bundle.append(wanted)
        size += more
    if bundle:
        yield bundle


class BundleRead(NamedTuple):
    """What each file of a bundle held, or why it is no log; its rows lie in `parquets`, their file as `task`."""

    files: list[FileRead | InputError]
    parquets: list[str]
