"""A policy file as a `Policy`, or all that is wrong with it."""

from __future__ import annotations

from pathlib import Path

from costctl.errors import CostctlError, Problem
from costctl.policy.check import faults_of_meaning
from costctl.policy.check_prices import faults_of_prices
from costctl.policy.keys import LISTED
from costctl.policy.misspelt import Spelling
from costctl.policy.schema import Policy
from costctl.policy.source import HINT, Source, read_source
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


def parse_policy(text: str, name: str, *, book: PriceBook | None = None) -> Policy:
    """The policy of a text; `name` stands for the file in problems.

    Raises:
        CostctlError: E400, E401 as in `load_policy`.
    """
    source = read_source(text, name)
    policy = _checked(source, book)
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


def _error(source: Source) -> CostctlError:
    problems = sorted(dict.fromkeys(source.problems), key=lambda one: (one.line or 0, one.column or 0))
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    own = [one.message for one in problems if one.message.startswith("unknown key") and not set(".[") & set(one.key)]
    is_asked = own and not any(message.startswith(LISTED) for message in own)
    hint = f"keys of a policy: {', '.join(Policy.keys())}" if is_asked else "costctl init writes a commented example"
    return CostctlError("E401", f"{problems[0]}{more}", hint, problems=tuple(problems))
