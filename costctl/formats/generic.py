"""Any log with usual column names, or with the user's own mapping."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path as FilePath
from typing import Any

import orjson
import yaml

from costctl.errors import CostctlError
from costctl.formats.base import LogFormat, Path, Record
from costctl.formats.usual import COLUMNS, USAGE_KEYS
from costctl.request import FROM_TEXT

# A request names a model or counts tokens; one that only names a model must at least hold its
# text, its cost or its outcome, or it may be a row of some statistics.
DEPTH_MAX = 5  # of objects within one another whose columns are looked at
COUNTS = ("input_tokens", "output_tokens")
NAMES = ("request_model", "response_model")
TEXTS = ("messages", "system", "response_text")
NO_COUNT_OF_REQUESTS: tuple[Path, ...] = (("none",),)  # as --map says it: each row is one request
EVIDENCE = ("messages", "logged_cost", "status", "http_status", "error_type", "latency_ms")


@lru_cache(maxsize=4096)
def folded(key: str) -> str:
    """A key without its case, spaces, hyphens and underscores: people write one name in many ways.

    >>> folded("Input Tokens") == folded("input_tokens") == folded("inputTokens")
    True
    """
    return "".join(filter(str.isalnum, key)).lower()


def opened(value: Any) -> Any:
    """An object that a table holds as JSON text; anything else as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


_FOLDED: Mapping[str, tuple[Path, ...]] = {
    name: tuple(dict.fromkeys(tuple(map(folded, path)) for path in COLUMNS[name]))
    for name in (*COUNTS, *NAMES, *EVIDENCE)
}


def _looks_like_request(record: Record) -> bool:
    plain = _plain(record)
    return _says(plain, COUNTS) or (_says(plain, NAMES) and _says(plain, EVIDENCE))


def _says(plain: Record, names: Sequence[str]) -> bool:
    return any(take(plain, path) is not None for name in names for path in _FOLDED[name])


def is_counted(record: Record) -> bool:
    """Whether a record counts tokens under a usual name."""
    return _says(_plain(record), COUNTS)


def is_whole(record: Record) -> bool:
    """Whether it names a model as well."""
    plain = _plain(record)
    return _says(plain, COUNTS) and _says(plain, NAMES)


def _plain(value: Any, depth: int = 3) -> Any:
    """The objects of a record with folded keys; of two keys that fold to one, the first."""
    if not isinstance(value, dict) or not depth:
        return value
    plain: Record = {}
    for key, inner in value.items():
        plain.setdefault(folded(str(key)), _plain(opened(inner) if key in USAGE_KEYS else inner, depth - 1))
    return plain


def take(record: Any, path: Path) -> Any:
    """The value at a path, or None; numbers index lists."""
    for key in path:
        if isinstance(record, dict):
            record = record.get(key)
        elif isinstance(record, list) and key.isdecimal() and int(key) < len(record):
            record = record[int(key)]
        else:
            return None
    return record


def leaves(record: Mapping[str, Any], above: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every column of a record with its value, those of objects within it by their paths; lists are values.

    >>> list(leaves({"tok": {"inp": 3}, "t": [1]}))
    [(('tok', 'inp'), 3), (('t',), [1])]
    """
    for key, inner in record.items():
        if not isinstance(key, str) or not key:
            continue
        if isinstance(inner, dict) and inner and len(above) + 1 < DEPTH_MAX:
            yield from leaves(inner, (*above, key))
        else:
            yield (*above, key), inner


FORMAT = LogFormat(
    name="generic",
    title="any JSONL, CSV or Parquet with usual column names, or with --map",
    signature=_looks_like_request,
    columns=COLUMNS,
    carries=("text", "time", "latency", "cache", "cost", "session", "user"),
)


# In a mapping these mean a count or a model; as columns of a log `input` and `output` are texts.
SHORT_NAMES = {
    "input": "input_tokens", "prompt": "input_tokens", "output": "output_tokens", "completion": "output_tokens",
    "cached": "cache_read_tokens", "price": "logged_cost", "when": "started_at", "model_id": "request_model",
    "id": "request_id", "customer": "user_id",
}  # fmt: skip


def _is_anything(_: Record) -> bool:
    return True


def mapped(columns: Mapping[str, tuple[Path, ...]]) -> LogFormat:
    """The generic format with the user's own paths in place of the usual ones.

    A column that is mapped to something else is no text: one called `input` that holds tokens is no prompt as well.
    A row that counts requests is a sum over them, whatever else it holds; `aggregate_request_count=none` says that no
    column counts any.
    """
    taken = {tuple(map(folded, path)) for name, paths in columns.items() if name not in TEXTS for path in paths}
    texts = {name: tuple(path for path in COLUMNS[name] if tuple(map(folded, path)) not in taken) for name in TEXTS}
    is_sum = columns.get("aggregate_request_count", NO_COUNT_OF_REQUESTS) != NO_COUNT_OF_REQUESTS
    constants = {"is_aggregate": True} if is_sum else {}
    return replace(FORMAT, columns={**COLUMNS, **texts, **columns}, signature=_is_anything, constants=constants)


def parse_mapping(text: str) -> tuple[str, str]:
    """`field=column` of --map, the field checked; `a|b` names two columns, the first that is filled wins.

    Raises:
        CostctlError: E130 with the nearest field; also for what is worked out from texts and never read from a log.
    """
    name, separator, place = text.partition("=")
    if separator and place and name in COLUMNS:
        return name, place
    if name in FROM_TEXT:
        what = f"--map {text}: {name} is worked out from the text of the prompts, a log's own is never read"
        raise CostctlError(
            "E130", what, f"read it as a field that a policy can ask for: --map endpoint={place or name}"
        )
    near = _usual_name_of(name) or next(iter(get_close_matches(name, COLUMNS, n=1, cutoff=0.5)), None)
    hint = f"did you mean {near}=...?" if near else f"fields: {', '.join(COLUMNS)}"
    raise CostctlError("E130", f"--map {text}: not field=column with a known field", hint)


def _usual_name_of(name: str) -> str | None:
    """The field that a usual column name, or a short word of people, stands for.

    >>> _usual_name_of("timestamp"), _usual_name_of("input"), _usual_name_of("colour")
    ('started_at', 'input_tokens', None)
    """
    if name.lower() in SHORT_NAMES:
        return SHORT_NAMES[name.lower()]
    return next((field for field, places in COLUMNS.items() if any(".".join(p) == name for p in places)), None)


def read_mapping(texts: Sequence[str]) -> dict[str, tuple[Path, ...]]:
    """All of --map: `field=column` texts and YAML files of `field: column`, later ones winning.

    Raises:
        CostctlError: E130 for an unknown field, E131 for a file that is no mapping.
    """
    pairs: list[tuple[str, str]] = []
    for text in texts:
        if "=" in text:
            pairs.append(parse_mapping(text))
        else:
            pairs += [parse_mapping(f"{name}={place}") for name, place in _mapping_file(text).items()]
    return {name: tuple(map(read_path, re.split(r"(?<!\\)\|", place))) for name, place in pairs}


def read_path(text: str) -> Path:
    r"""A dotted path of a mapping; a dot or a bar that is part of a name stands behind a backslash.

    >>> read_path("usage.in"), read_path(r"usage\.in.n")
    (('usage', 'in'), ('usage.in', 'n'))
    """
    return tuple(re.sub(r"\\([.|])", r"\1", key) for key in re.split(r"(?<!\\)\.", text))


def written_path(path: Path) -> str:
    r"""A path as a mapping names it.

    >>> written_path(("usage.in", "n"))
    'usage\\.in.n'
    """
    return ".".join(re.sub(r"([.|])", r"\\\1", key) for key in path)


def _mapping_file(name: str) -> dict[str, str]:
    try:
        content = yaml.safe_load(FilePath(name).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise CostctlError("E131", f"--map {name}: neither field=column nor a file we can read", reason) from error
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise CostctlError("E131", f"{name} is no mapping of fields to columns", "write one `field: column` a line")
    return {str(field): place for field, place in content.items()}
