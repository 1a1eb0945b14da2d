"""A mapping for a log of an unknown shape: the columns that look like model, counts, time, and so on.

What the names leave open is decided by the values where they can (a total tells where cached tokens lie); what stays
open is a guess that says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations
from statistics import median
from typing import Any, NamedTuple

import yaml

from costctl.formats.base import Path, Record
from costctl.formats.convert import SECONDS_MEDIAN_MAX, numbers
from costctl.formats.generic import folded, leaves, take, written_path
from costctl.formats.instants import any_day, instants
from costctl.formats.looks import (
    LENGTH,
    LOOKS,
    Look,
    are_moments,
    has_units,
    have_local_numbers,
    is_of,
    looks_like_models,
    name_score,
    score_of,
    words,
)
from costctl.formats.usual import COLUMNS

COLUMNS_MAX = 400
USUAL_SCORE = 10  # of a column that is read under this name anyway
CORE = ("request_model", "input_tokens", "output_tokens", "started_at")
_MILLISECONDS = frozenset({"ms", "millis", "milliseconds", "milisegundos", "msec"})
_SECONDS = frozenset({"s", "sec", "secs", "seconds", "segundos", "seg", "sekunden"})
_ALONE = "no name speaks for it, but no other column has such values"
_SUMMED = "no name speaks for it, but two counts and their sum; which is input is told by the order only"
SUMMED_MAX = 20  # counts of which sums are looked for
_CONTEXT = frozenset({"ctx", "context", "contexto"})
_DOLLARS = frozenset({"usd", "dollars", "dolares"})
_OTHER_MONEY = frozenset(
    {"eur", "euro", "euros", "gbp", "chf", "mxn", "ars", "clp", "cop", "pen", "brl", "jpy", "cny", "inr"}
)
SURE_SCORE = 4  # of a name that speaks for a field by itself
_TOLD_KINDS = ("count", "money", "duration", "time")  # of these the values tell why a column is left out
_UNKNOWN_SHOWN = 12


class Guess(NamedTuple):
    """A field, where it seems to lie, and what is unsure about it ("" where nothing is)."""

    field: str
    path: Path
    doubt: str = ""


class LeftOut(NamedTuple):
    """A column that no line of a proposal reads: the field that its name speaks for ("" for none), and why not."""

    path: Path
    field: str
    reason: str


def left_out(records: Sequence[Record], guesses: Sequence[Guess]) -> list[LeftOut]:
    """The columns that the guesses leave out, in their order, each with the reason."""
    taken = {guess.path for guess in guesses}
    fields = {_base(guess.field) for guess in guesses}
    free = [(path, values) for path, values in columns_of(records) if path not in taken]
    return [LeftOut(path, *_why_left_out(path, values, fields)) for path, values in free]


def _base(field: str) -> str:
    """The field under which a guess was looked for, before its values settled where it lies or in which unit."""
    return (
        field.replace("_outside_tokens", "_tokens").replace("_s", "_ms") if field.endswith(("_tokens", "_s")) else field
    )


def _why_left_out(path: Path, values: Sequence[Any], fields: Collection[str]) -> tuple[str, str]:
    """The field and why it is not read from there."""
    scores = {look: name_score(look, path, values) for look in LOOKS if look.kind in _TOLD_KINDS}
    likely = max(scores, key=lambda look: scores[look])
    if scores[likely] < SURE_SCORE:
        return "", "its name speaks for no field"
    if likely.field in fields:
        return likely.field, "another column fits better"
    if likely.kind == "money" and words(path[-1]) & _OTHER_MONEY:
        return likely.field, "its name says another currency, and amounts are taken as US dollars"
    return likely.field, _unfit(likely, values)


def _unfit(look: Look, values: Sequence[Any]) -> str:
    if look.kind != "time" and have_local_numbers(values):
        return "dots group its thousands or commas begin its decimals: write 1200 and 0.5"
    return {
        "count": "its values are no whole numbers", "money": "its values are no amounts",
        "duration": "its values are no durations", "time": "its values are no times: write 2026-03-13T10:00:00Z",
    }[look.kind]  # fmt: skip


def propose(records: Sequence[Record]) -> list[Guess]:
    """The mapping that these records suggest, one column to a field and one field to a column."""
    columns = dict(columns_of(records))
    currencies = next(look for look in LOOKS if look.field == "logged_currency")
    named = {currencies.field for path, values in columns.items() if score_of(currencies, path, values)}
    ranked = sorted(
        (-score, place, order, look.field, path)
        for order, look in enumerate(LOOKS)
        for place, (path, values) in enumerate(columns.items())
        if (score := _usual(look.field, look.kind, path, values) or score_of(look, path, values))
        and not (look.kind == "money" and words(path[-1]) & _OTHER_MONEY and "logged_currency" not in named)
    )
    found: dict[str, tuple[Path, int]] = {}
    for score, _, _, field, path in ranked:
        if field not in found and path not in {taken for taken, _ in found.values()}:
            found[field] = path, -score
    doubts: dict[str, str] = {}
    for guess in list(_by_values(columns, found)):
        found[guess.field], doubts[guess.field] = (guess.path, USUAL_SCORE), guess.doubt
    guesses = [
        _settled(Guess(field, path, doubts.get(field) or _weak(score)), found, columns)
        for field, (path, score) in found.items()
    ]
    order = {name: place for place, name in enumerate(COLUMNS)}
    guesses = [guess for guess in guesses if guess.field != "ended_at" or "started_at" in found]
    if not _are_sums(columns, found):
        guesses = [guess for guess in guesses if guess.field != "aggregate_request_count"]
    return sorted(guesses, key=lambda guess: order[guess.field])


def _by_values(columns: Mapping[Path, list[Any]], found: Mapping[str, tuple[Path, int]]) -> Iterator[Guess]:
    """Fields that no name speaks for, where only one column has values such as theirs."""
    taken = {path for path, _ in found.values()}
    free = {path: values for path, values in columns.items() if path not in taken}
    for field, has_such in (("started_at", are_moments), ("request_model", looks_like_models)):
        such = [path for path, values in free.items() if field not in found and has_such(values)]
        if len(such) == 1:
            yield Guess(field, such[0], _ALONE)
    if not {"input_tokens", "output_tokens"} & found.keys():
        yield from _summands(free)


def _summands(columns: Mapping[Path, list[Any]]) -> Iterator[Guess]:
    """Two counts whose sum is a third one, in the order in which they stand."""
    counts = [(path, numbers("input_tokens", values)[0].to_list()) for path, values in columns.items()
              if is_of("count", values)][:SUMMED_MAX]  # fmt: skip
    sums = [
        (one[0], other[0], total[0]) for one, other in combinations(counts, 2) for total in counts
        if total[0] not in {one[0], other[0]} and _is_sum(one[1], other[1], total[1])
    ]  # fmt: skip
    if len(sums) == 1:
        names = "input_tokens", "output_tokens", "total_tokens"
        yield from (Guess(name, path, _SUMMED) for name, path in zip(names, sums[0], strict=True))


def _is_sum(one: list[Any], other: list[Any], total: list[Any]) -> bool:
    rows = list(zip(one, other, total, strict=True))
    return any(rows) and all(None not in row and row[0] and row[1] and row[0] + row[1] == row[2] for row in rows)


def is_enough(guesses: Sequence[Guess]) -> bool:
    """Whether an audit could begin with this: a model, and a count of tokens."""
    fields = {guess.field for guess in guesses}
    return "request_model" in fields and bool({"input_tokens", "output_tokens"} & fields)


def mapping_file(guesses: Sequence[Guess], missed: Sequence[LeftOut] = ()) -> str:
    """The guesses as a file that --map accepts as it stands; what is unsure stands above its line.

    Below them stands what is left out: each column whose name speaks for a field with its reason, the others by name.
    """
    look_at = [name for name, has in (("unsure", any(guess.doubt for guess in guesses)), ("left out", missed)) if has]
    lines = [f"""# A proposal{': look at the lines under "' + '" and "'.join(look_at) + '"' if look_at else ""}."""]
    for guess in guesses:
        lines += [f"# unsure: {guess.doubt}"] if guess.doubt else []
        place = written_path(guess.path)
        lines.append(yaml.safe_dump({guess.field: place}, allow_unicode=place.isprintable(), width=10_000).rstrip("\n"))
    lines += [f"# left out: {_shown(one.path)}, which may be {one.field}: {one.reason}" for one in missed if one.field]
    unknown = [_shown(one.path) for one in missed if not one.field]
    if unknown:
        more = f" and {len(unknown) - _UNKNOWN_SHOWN:,} more" if len(unknown) > _UNKNOWN_SHOWN else ""
        lines.append(f"# left out, as no name speaks for a field: {', '.join(unknown[:_UNKNOWN_SHOWN])}{more}")
    return "\n".join(lines) + "\n"


def _shown(path: Path) -> str:
    """A path within a comment: on one line, whatever its keys hold."""
    place = written_path(path)
    return place if place.isprintable() else ascii(place)


def columns_of(records: Sequence[Record]) -> Iterator[tuple[Path, list[Any]]]:
    """Every column of the records, dotted paths included, in the order in which they appear."""
    paths: dict[Path, None] = {}
    for record in records:
        for path, value in leaves(record):
            if len(paths) >= COLUMNS_MAX:
                break
            if value is not None:
                paths[path] = None
    for path in paths:
        yield path, [take(record, path) for record in records]


def _usual(field: str, kind: str, path: Path, values: Sequence[Any]) -> int:
    """The score of a column that has this field's usual name; the first of several usual names is the best."""
    plain = tuple(map(folded, path))
    for place, usual in enumerate(COLUMNS[field]):
        if tuple(map(folded, usual)) == plain and is_of(kind, values):
            return USUAL_SCORE + len(COLUMNS[field]) - place
    return 0


def _weak(score: int) -> str:
    return "" if score > 3 else "only a part of the name speaks for it"


def _settled(guess: Guess, found: Mapping[str, tuple[Path, int]], columns: Mapping[Path, list[Any]]) -> Guess:
    """The guess with what its values tell: where cached tokens lie, in which unit a duration is."""
    settle = {
        "cache_read_tokens": _cached, "cache_write_tokens": _cached, "reasoning_tokens": _reasoning,
        "latency_ms": _duration, "time_to_first_token_ms": _duration, "logged_cost": _cost,
        "input_tokens": _size, "output_tokens": _size, "aggregate_request_count": _requests,
    }.get(guess.field)  # fmt: skip
    return settle(guess, {name: columns[path] for name, (path, _) in found.items()}) if settle else guess


def _size(guess: Guess, values: Mapping[str, list[Any]]) -> Guess:
    own, found = words(guess.path[-1]), [value for value in values[guess.field] if value is not None]
    if own & LENGTH:
        return guess._replace(
            doubt="a length, taken as tokens; if it is one of characters or bytes, leave this line out"
        )
    if own & _CONTEXT and len(found) > 1 and len({str(value) for value in found}) == 1:
        return guess._replace(doubt="the same in all records looked at: perhaps the size of the window")
    return guess


def _are_sums(columns: Mapping[Path, list[Any]], found: Mapping[str, tuple[Path, int]]) -> bool:
    """Whether a column counts the requests of each row, and some rows are of several."""
    held = found.get("aggregate_request_count")
    return held is not None and any(value > 1 for (value,) in _counts({"n": columns[held[0]]}, "n"))


def _requests(guess: Guess, _: Mapping[str, list[Any]]) -> Guess:
    return guess._replace(
        doubt="each row is then a sum over so many requests; write none in place of the column if it is one request"
    )


def _counts(values: Mapping[str, list[Any]], *names: str) -> Iterator[tuple[int, ...]]:
    """The counts of these columns, of the records that have them all."""
    for row in zip(*(values[name] for name in names), strict=True):
        try:
            yield tuple(int(float(value)) for value in row)
        except (TypeError, ValueError, OverflowError):
            continue


def _cached(guess: Guess, values: Mapping[str, list[Any]]) -> Guess:
    outside = guess._replace(field=guess.field.replace("_tokens", "_outside_tokens"))
    counted = {"input_tokens", "output_tokens"} <= values.keys()
    if counted and "total_tokens" in values:
        others = [name for name in ("cache_read_tokens", "cache_write_tokens") if name in values]
        rows = [
            row for row in _counts(values, "input_tokens", "output_tokens", "total_tokens", *others) if sum(row[3:])
        ]
        inside_count = sum(total == given + out for given, out, total, *_ in rows)
        beside_count = sum(total == given + out + sum(cached) for given, out, total, *cached in rows)
        if inside_count != beside_count:
            settled = outside if beside_count > inside_count else guess
            share = max(inside_count, beside_count), len(rows)
            return (
                settled
                if share[0] == share[1]
                else settled._replace(doubt=f"the total bears it out in {share[0]} of {share[1]} records")
            )
    if "input_tokens" in values and any(
        cached > given for given, cached in _counts(values, "input_tokens", guess.field)
    ):
        return outside  # what is more than the input cannot be inside it
    return guess._replace(doubt=f"taken as inside the input; beside it, the field is {outside.field}")


def _reasoning(guess: Guess, values: Mapping[str, list[Any]]) -> Guess:
    outside = guess._replace(field="reasoning_outside_tokens")
    if "output_tokens" not in values:
        return guess
    if any(inner > out for out, inner in _counts(values, "output_tokens", "reasoning_tokens")):
        return outside
    if {"input_tokens", "total_tokens"} <= values.keys():
        rows = [
            row
            for row in _counts(values, "input_tokens", "output_tokens", "total_tokens", "reasoning_tokens")
            if row[3]
        ]
        cached = [name for name in ("cache_read_tokens", "cache_write_tokens") if name in values]
        if rows and not cached and all(total == given + out + inner for given, out, total, inner in rows):
            return outside
        if rows and not cached and all(total == given + out for given, out, total, _ in rows):
            return guess
    return guess._replace(doubt="taken as inside the output; beside it, the field is reasoning_outside_tokens")


def _duration(guess: Guess, values: Mapping[str, list[Any]]) -> Guess:
    in_seconds = guess._replace(field=guess.field.replace("_ms", "_s"))
    own = words(guess.path[-1])
    if has_units(values[guess.field]) or own & _MILLISECONDS:
        return guess
    if own & _SECONDS:
        return in_seconds
    said, _ = numbers("latency_s", [None if isinstance(one, list | dict) else one for one in values[guess.field]])
    if guess.field == "latency_ms" and {"started_at", "ended_at"} <= values.keys():
        spans = _spans(values)
        pairs = [(span, one) for span, one in zip(spans, said, strict=True) if span and one]
        if pairs and all(abs(one - span) <= 0.1 * span for span, one in pairs):
            return in_seconds
        if pairs and all(abs(one - 1000 * span) <= 100 * span for span, one in pairs):
            return guess
    middle = median([one for one in said if one is not None] or [0])
    if middle > SECONDS_MEDIAN_MAX:
        return guess._replace(doubt=f"taken as milliseconds, by its size; in seconds, the field is {in_seconds.field}")
    return in_seconds._replace(doubt=f"taken as seconds, by its size; in milliseconds, the field is {guess.field}")


def _spans(values: Mapping[str, list[Any]]) -> list[float | None]:
    """Seconds from start to end of each record."""
    start, _ = instants("started_at", list(map(any_day, values["started_at"])))
    end, _ = instants("ended_at", list(map(any_day, values["ended_at"])))
    return [None if one is None else one / 1e6 for one in (end - start).dt.total_microseconds()]


def _cost(guess: Guess, values: Mapping[str, list[Any]]) -> Guess:
    if words(guess.path[-1]) & _DOLLARS or "logged_currency" in values:
        return guess
    return guess._replace(doubt="taken as US dollars, not cents")
