"""A policy file as a `Policy`, or all that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from costctl.errors import CostctlError, Problem
from costctl.policy.check import faults_of_meaning
from costctl.policy.check_prices import faults_of_prices
from costctl.policy.keys import LISTED
from costctl.policy.landed import NOT_YET
from costctl.policy.misspelt import Spelling
from costctl.policy.schema import Policy
from costctl.policy.source import HINT, Place, Source, read_source
from costctl.prices.book import PriceBook

SCHEMA_FILE = Path(__file__).with_name("schema.json")
"""For editors; `generate` writes it."""


def load_policy(path: Path, book: PriceBook | None = None) -> Policy:
    """The policy of a file; with a book, each model and provider that it names must be there.

    Raises:
        CostctlError: E400 where it cannot be read as a YAML mapping, E401 with every problem of its
            content, sorted by position.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        message = f"cannot read the policy: {path}: {error.strerror or error}"
        raise CostctlError("E400", message, "the path of a policy file is wanted") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        problem = Problem(str(path), line, None, "", "is not UTF-8 text")
        raise CostctlError("E400", f"cannot read the policy: {problem}", HINT, problems=(problem,)) from error
    return parse_policy(text, str(path), book=book)


def parse_policy(
    text: str, name: str, *, not_yet: Mapping[str, str] = NOT_YET, book: PriceBook | None = None
) -> Policy:
    """The policy of a text; `name` stands for the file in problems, `not_yet` refuses keys by dotted path.

    Raises:
        CostctlError: E400, E401 as in `load_policy`.
    """
    source = read_source(text, name)
    policy = _checked(source, book)
    _refuse_later_keys(source, not_yet)
    if policy is None or source.problems:
        raise _error(source)
    return policy


def _checked(source: Source, book: PriceBook | None) -> Policy | None:
    """The policy, None where its form is wrong; problems of form and meaning go to the source."""
    spelling, told = Spelling(source.values), set(source.broken)
    for place, message in spelling.faults:
        told |= {place} - spelling.misspelt
        if not source.is_broken(place):
            source.add(place, message)
    faults = faults_of_meaning(spelling.values)
    for at, message in faults if book is None else [*faults, *faults_of_prices(spelling.values, book)]:
        place = spelling.as_written(at)
        if not any(place[:end] in told for end in range(len(place) + 1)):
            source.add(place, message)
    return spelling.policy


def _refuse_later_keys(source: Source, not_yet: Mapping[str, str]) -> None:
    for path, reason in not_yet.items():
        keys, _, wanted = path.partition("=")
        for place, value in _standing(source.values, tuple(keys.split(".")), ()):
            if not wanted or value == wanted:
                told = f"{'.'.join(map(str, place))}{f': {wanted}' if wanted else ''}"
                source.add(place, f"`{told}` is not there yet: it {reason}")


def _standing(value: Any, path: tuple[str, ...], at: Place) -> Iterator[tuple[Place, Any]]:
    """Where a path stands in the file, with its value; `*` is every name of a mapping and every item of a list."""
    if not path:
        yield at, value
    elif path[0] == "*":
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, tuple) else ()
        for key, item in items:
            yield from _standing(item, path[1:], (*at, key))
    elif isinstance(value, dict) and path[0] in value:
        yield from _standing(value[path[0]], path[1:], (*at, path[0]))


def _error(source: Source) -> CostctlError:
    problems = sorted(dict.fromkeys(source.problems), key=lambda one: (one.line or 0, one.column or 0))
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    own = [one.message for one in problems if one.message.startswith("unknown key") and not set(".[") & set(one.key)]
    is_asked = own and not any(message.startswith(LISTED) for message in own)
    hint = f"keys of a policy: {', '.join(Policy.keys())}" if is_asked else "costctl init writes a commented example"
    return CostctlError("E401", f"{problems[0]}{more}", hint, problems=tuple(problems))
