"""What a request asks of its answer, as far as a log without answers tells: a format, a language.

JSON is asked for by `response_format`, HTML by the intent of the question; a question in a language asks
for an answer in it. What is not told fulfils no condition, nor the opposite of one.
"""

from __future__ import annotations

from collections.abc import Mapping

from costctl.policy.when import All, Any_, Compare, Is, Not, OneOf, When
from costctl.replay.calls import Flag, fetch
from costctl.replay.conditions import Conditions
from costctl.store import Store

ASKED_SQL: Mapping[str, str] = {
    "output_format": "(CASE WHEN lower(response_format) IN ('json_object', 'json_schema') THEN 'json' "
    "WHEN intent = 'html_answer' THEN 'html' END)",
    "output_language": "(CASE WHEN language <> 'other' THEN language END)",
}


def asking(store: Store, when: When) -> Flag:
    """The calls for which a condition holds that may speak of the answer."""
    conditions = Conditions(ASKED_SQL)
    named = [ASKED_SQL[field] for field in sorted(_fields(when) & set(ASKED_SQL))]
    tests = " AND ".join((conditions.sql(when), *(f"({sql}) IS NOT NULL" for sql in named)))
    holds: Flag = fetch(store, f"({tests}) AS holds", conditions.params)["holds"]
    return holds


def _fields(when: When) -> set[str]:
    """The fields that a condition names."""
    match when:
        case All(parts) | Any_(parts):
            return set().union(*map(_fields, parts))
        case Not(part):
            return _fields(part)
        case Compare(field) | OneOf(field) | Is(field):
            return {field}
    raise AssertionError(when)
