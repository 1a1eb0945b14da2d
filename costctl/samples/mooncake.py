"""A trace as inference servers publish them: lengths, milliseconds, and the prompt as hashed blocks."""

from __future__ import annotations

from pathlib import Path
from random import Random

from costctl.samples.expected import Counts
from costctl.samples.jsonl import Record, write_lines

REQUESTS = 24
BLOCK_TOKENS = 512


def write_trace(path: Path, rng: Random) -> Counts:
    """A shared first block, then conversations that grow by some blocks each time or begin anew."""
    counts = Counts()
    lines: list[Record | str] = []
    conversations: list[list[int]] = []
    next_block = 1
    for number in range(REQUESTS):
        if number % 3 == 0 or rng.random() < 0.2:
            conversations.append([0])
        blocks = conversations[rng.randrange(len(conversations))]
        for _ in range(rng.randrange(2, 9)):
            blocks.append(next_block)
            next_block += 1
        # The last block is not always full, and grows into another one when the conversation goes on.
        short = rng.randrange(BLOCK_TOKENS)
        tokens, answered = len(blocks) * BLOCK_TOKENS - short, rng.randrange(20, 600)
        lines.append({
            "timestamp": number * 3000, "input_length": tokens, "output_length": answered, "hash_ids": list(blocks),
        })  # fmt: skip
        counts.request(tokens, answered)
        if short:
            blocks.pop()
    write_lines(path, lines)
    return counts
