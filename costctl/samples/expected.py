"""What a reader must find in a sample log, counted by the one who wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields


@dataclass
class Counts:
    """Counts of one log. Tokens are sums over accepted records; input includes cached tokens."""

    records_read: int = 0
    request_count: int = 0
    merged: int = 0
    ignored: int = 0
    rejected: int = 0
    error_count: int = 0
    unknown_usage_count: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    aggregate_row_count: int = 0

    def request(
        self, input_tokens: int | None, output_tokens: int | None, *, cache_read: int | None = None,
        cache_write: int | None = None,
        reasoning: int | None = None, is_error: bool = False,
    ) -> None:  # fmt: skip
        """Count one accepted record; None is unknown and adds nothing."""
        self.records_read += 1
        self.request_count += 1
        self.error_count += is_error
        self.unknown_usage_count += input_tokens is None and output_tokens is None
        self.input_tokens += input_tokens or 0
        self.output_tokens += output_tokens or 0
        self.cache_read_tokens += cache_read or 0
        self.cache_write_tokens += cache_write or 0
        self.reasoning_tokens += reasoning or 0

    def other(self, *, merged: int = 0, ignored: int = 0, rejected: int = 0) -> None:
        """Count records that are read and are no requests of their own."""
        self.records_read += merged + ignored + rejected
        self.merged += merged
        self.ignored += ignored
        self.rejected += rejected

    def sum_row(
        self, input_tokens: int, output_tokens: int, *, cache_read: int = 0, cache_write: int = 0, reasoning: int = 0
    ) -> None:
        """Count one accepted record that is a sum over requests."""
        self.records_read += 1
        self.aggregate_row_count += 1
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens
        self.cache_read_tokens += cache_read
        self.cache_write_tokens += cache_write
        self.reasoning_tokens += reasoning

    def as_dict(self) -> dict[str, int]:
        """Names and counts, in the order above; sums only where there are some, of those only what they count."""
        counts = asdict(self)
        if not self.aggregate_row_count:
            del counts["aggregate_row_count"]
            return counts
        # What an export of sums does not count is unknown, not 0.
        return {name: count for name, count in counts.items() if count or name not in _OFTEN_UNCOUNTED}


_OFTEN_UNCOUNTED = frozenset({"cache_read_tokens", "cache_write_tokens", "reasoning_tokens"})
NAMES = tuple(item.name for item in fields(Counts))


def yaml_lines(name: str, counts: Mapping[str, int]) -> Iterator[str]:
    """A block of YAML: the name, then one count per line."""
    yield f"{name}:"
    for key, value in counts.items():
        yield f"  {key}: {value}"


def yaml_of(files: Mapping[str, Counts]) -> str:
    """expected.yaml: one block per file."""
    lines = ["# What each log holds, counted by the generator; input_tokens includes cached tokens."]
    for name, counts in sorted(files.items()):
        lines += yaml_lines(name, counts.as_dict())
    return "\n".join(lines) + "\n"
