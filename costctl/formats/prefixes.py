"""The beginnings of a prompt as hashed blocks, as an inference server cuts them, from the text of the log."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, NamedTuple

import polars as pl

from costctl.formats.content import flat, listed, turn
from costctl.formats.contents import remember
from costctl.formats.sources import Reader
from costctl.request import COLUMNS
from costctl.store import Store

# About the 128 tokens in which providers count; a prefix is known to within one block.
BLOCK_CHARS = 512
SHORTEST_TOKENS, SHORTEST_CHARS = 1_024, 1_000  # no provider caches a shorter prompt
CHARS_PER_TOKEN_MIN = 2


class PromptBlocks(NamedTuple):
    """How long a prompt is, and a keyed hash of the whole prompt up to the end of each full block."""

    chars: int
    blocks: list[int]


class PrefixTake:
    """Takes the blocks of prompts; None where the log has no text of one."""

    def __init__(self, hash_key: bytes) -> None:
        self._key = hash_key

    def __call__(self, messages: Any, system: Any, answer: Any) -> PromptBlocks | None:
        """The prompt in the order in which it is sent: instructions, then message by message."""
        if not messages and not system:
            return None
        parts = [f"system\0{flat(system)[0]}"] if system else []
        for message in listed(messages):
            role, text, _ = turn(message)
            parts.append(f"{'system' if role == 'developer' else role}\0{text}")
        prompt = "\x1e".join(parts)
        if len(prompt) < SHORTEST_CHARS:
            return PromptBlocks(len(prompt), [])
        hasher, blocks = blake2b(key=self._key, digest_size=8), []
        for end in range(BLOCK_CHARS, len(prompt) + 1, BLOCK_CHARS):
            hasher.update(prompt[end - BLOCK_CHARS : end].encode("utf-8", "surrogatepass"))
            blocks.append(int.from_bytes(hasher.copy().digest(), "big", signed=True))
        return PromptBlocks(len(prompt), blocks)


def remember_prefixes(store: Store, reader: Reader) -> None:
    """Read the prompts of the log that was audited last into `prompt_prefix`, unless that was done before.

    Only files are read in which a prompt is long enough for a provider's cache and has no blocks already.

    Raises:
        CostctlError: E124 for a file that is gone or has changed.
    """
    wanted = store.query(
        f"SELECT DISTINCT file_id FROM request WHERE input_tokens >= {SHORTEST_TOKENS} "
        "AND prompt_chars >= input_tokens AND prefix_blocks IS NULL "
        "AND file_id NOT IN (SELECT file_id FROM prompt_prefix_file) ORDER BY file_id"
    )
    schema: dict[str, Any] = {"chars": pl.Int64, "blocks": pl.List(pl.Int64)}
    remember(store, reader, PrefixTake(reader.hash_key), "prompt_prefix", schema, [file_id for (file_id,) in wanted])


def show_prefixes(store: Store) -> None:
    """The view `prefixed_request`: `request` with blocks from texts where the log names none.

    A text stands for its prompt where it has at least two characters for each input token; else the prompt holds
    what the log leaves out (tools, images, history).
    """
    is_whole = f"t.chars >= {CHARS_PER_TOKEN_MIN} * r.input_tokens AND r.input_tokens > 0"
    store.execute(
        "CREATE OR REPLACE TEMP VIEW prefixed_request AS SELECT r.* REPLACE ("
        f"CASE WHEN r.prefix_blocks IS NULL AND {is_whole} THEN t.blocks ELSE r.prefix_blocks END AS prefix_blocks, "
        f"CASE WHEN r.prefix_blocks IS NULL AND {is_whole} "
        f"THEN CAST(greatest(r.input_tokens * {BLOCK_CHARS} // t.chars, 1) AS {_type_of_block_tokens()}) "
        "ELSE r.block_tokens END AS block_tokens) "
        "FROM request r LEFT JOIN prompt_prefix t USING (file_id, source_line)"
    )


def _type_of_block_tokens() -> str:
    return next(column.type for column in COLUMNS if column.name == "block_tokens")
