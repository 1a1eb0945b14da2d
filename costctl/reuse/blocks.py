"""The blocks of prompts as flat arrays, and how they come out of the store."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from costctl.store import Store

Int = NDArray[np.int64]
Bool = NDArray[np.bool_]


class Blocks(NamedTuple):
    """The blocks of many requests: `ids` of all of them in order, and where each request's begin.

    `offsets` has one entry more than there are requests; `block_tokens` one for each request.
    """

    ids: Int
    offsets: Int
    block_tokens: Int

    def only(self, wanted: Bool) -> Blocks:
        """The blocks of these requests."""
        counts = np.diff(self.offsets)
        ids = self.ids[np.repeat(wanted, counts)]
        return Blocks(ids, np.concatenate(([0], np.cumsum(counts[wanted]))), self.block_tokens[wanted])


def read_blocks(store: Store, relation: str, number: str, count: int) -> tuple[Blocks, Bool] | None:
    """The blocks of the rows of a relation of ours, numbered 0 to `count` - 1 by a column of it.

    Also which rows have any list of blocks, be it an empty one. None where no row has: then nothing
    but a count was asked of the store.
    """
    if not store.scalar(f"SELECT count(prefix_blocks) FROM {relation}"):
        return None
    rows = store.numpy(
        f"SELECT {number} AS number, len(prefix_blocks) AS held, block_tokens FROM {relation} "
        "WHERE prefix_blocks IS NOT NULL"
    )
    counts, sizes = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    counts[rows["number"]] = rows["held"]
    sizes[rows["number"]] = rows["block_tokens"]
    offsets = np.concatenate(([0], np.cumsum(counts)))
    found = store.numpy(
        f"SELECT {number} AS number, generate_subscripts(prefix_blocks, 1) AS place, unnest(prefix_blocks) AS block "
        f"FROM {relation} WHERE prefix_blocks IS NOT NULL"
    )
    ids = np.zeros(int(offsets[-1]), dtype=np.int64)
    ids[offsets[found["number"]] + found["place"] - 1] = found["block"]
    has_blocks = np.zeros(count, dtype=np.bool_)
    has_blocks[rows["number"]] = True
    return Blocks(ids, offsets, sizes), has_blocks
