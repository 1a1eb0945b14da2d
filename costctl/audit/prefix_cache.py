"""What a cache of prompt prefixes would serve, by its size: for logs that name the blocks of their prompts.

Such a cache is an inference server's own: one for each model, least recently used blocks go first, and a request
touches its blocks from the front to the end. All sizes come of one pass.
"""

from __future__ import annotations

from costctl.audit import pages
from costctl.report import Table
from costctl.store import Store

CAPACITIES = (1_000, 3_000, 10_000, 30_000, 50_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
COLUMNS = (
    "blocks_held_count", "blocks_served_count", "block_hit_ratio", "served_tokens", "token_hit_ratio",
)  # fmt: skip


def prefix_cache(store: Store) -> Table | None:
    """Blocks and tokens that caches of several sizes serve, the last as large as needed; None without any blocks.

    Ratios are of all blocks, and of all input tokens, of the requests that name blocks and a time.
    """
    if not store.scalar("SELECT count(prefix_blocks) FROM request"):
        return None
    import numpy as np  # noqa: PLC0415  (few logs have blocks)

    from costctl.reuse.blocks import read_blocks  # noqa: PLC0415
    from costctl.reuse.prefix import capacities_needed, served_counts  # noqa: PLC0415

    pages.run(store, "prefix_blocks.sql")
    count = int(store.scalar("SELECT count(*) FROM block_request"))
    read = read_blocks(store, "block_request", "rowid", count)
    if read is None:
        return None
    blocks, _ = read
    asked = store.numpy("SELECT rowid AS place, model_code, input_tokens FROM block_request")
    order = np.argsort(asked["place"], kind="stable")
    model, inputs = asked["model_code"][order].astype(np.int64), asked["input_tokens"][order].astype(np.int64)
    held = np.diff(blocks.offsets)
    names, ids = np.unique(blocks.ids, return_inverse=True)
    keys = np.repeat(model, held) * len(names) + ids
    # The last block of a request holds what the others leave of its input.
    tokens = np.repeat(blocks.block_tokens, held)
    tokens[blocks.offsets[1:] - 1] = np.minimum(blocks.block_tokens, inputs - (held - 1) * blocks.block_tokens)
    distinct = len(np.unique(keys))
    capacities = np.array([*(size for size in CAPACITIES if size < distinct), distinct], dtype=np.int64)
    needs = capacities_needed(keys, blocks.offsets)
    served, served_tokens = served_counts(needs, capacities), served_counts(needs, capacities, tokens)
    all_tokens = int(inputs.sum())
    return Table.of(
        "prefix_cache", COLUMNS,
        [
            (int(size), int(hits), _ratio(int(hits), len(keys)), int(read_tokens), _ratio(int(read_tokens), all_tokens))
            for size, hits, read_tokens in zip(capacities, served, served_tokens, strict=True)
        ],
    )  # fmt: skip


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
