"""Files of ours beside those of a folder: what of ours is not so there, and what of theirs is not ours.

Files are compared by meaning where they are JSON or YAML, else as texts. A key of others is left alone unless it
changes who answers under a name of ours: inside an entry of ours, beside one with its name, anywhere in a closed file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

import yaml

from costctl.export.text import comment_of, from_yaml, to_json, to_yaml

NAMED_BY = ("model_name", "name", "id", "slug", "model")
"""Keys by which items of two lists are held to be the same one."""
INSIDE = "is not ours, and changes what our entry does"
BESIDE = "is not ours, and answers under a name of ours"


Leaves = Mapping[str, str]


class Foreign(NamedTuple):
    """A key that is not ours; `changes` says how it changes who answers, empty where it is left alone."""

    key: str
    changes: str


def parsed(path: str, text: str) -> Any:
    """The values of a JSON or YAML text, None of anything else."""
    try:
        if path.endswith(".json"):
            return json.loads(text)
        if path.endswith((".yaml", ".yml")):
            return from_yaml(text)
    except (ValueError, yaml.YAMLError):
        return None
    return None


def differences(path: str, ours: str, theirs: str, *, is_closed: bool) -> Iterator[tuple[str, str]]:
    """Key and words for whatever of ours is not so in theirs, and for keys of others that change who answers."""
    if ours == theirs:
        return
    one, two = parsed(path, ours), parsed(path, theirs)
    if one is None or two is None:
        yield "", "differs" if one is None else _broken(path, theirs)
        return
    yield from _missing(one, two, "")
    yield from ((key, changes) for key, changes in _foreign(one, two, "", is_inside=is_closed) if changes)


def _broken(path: str, text: str) -> str:
    """Why a text has no values."""
    kind = "JSON" if path.endswith(".json") else "YAML"
    try:
        if kind == "JSON":
            json.loads(text)
        else:
            from_yaml(text)
    except yaml.MarkedYAMLError as error:
        at = error.problem_mark
        where = "" if at is None else f", line {at.line + 1} column {at.column + 1}"
        return f"is no {kind} any more: {error.problem or error.context}{where}"
    except (ValueError, yaml.YAMLError) as error:
        return f"is no {kind} any more: {' '.join(str(error).split())}"
    return "is empty"


def leaves(path: str, text: str) -> Leaves:
    """A digest of each value that has no keys of its own, by key, and under `KEY[]` of the order of named things."""
    return dict(_leaves(parsed(path, text), ""))


def _leaves(value: Any, at: str) -> Iterator[tuple[str, str]]:
    names = _names(value) if isinstance(value, list) else None
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from _leaves(one, _below(at, key))
    elif names:
        for name, one in zip(names, value, strict=True):
            yield from _leaves(one, f"{at}[{name}]")
        yield f"{at}[]", _short(names)
    elif value is not None or at:
        yield at, _short(value)


def _short(value: Any) -> str:
    """Eight digits tell an edit from what was exported."""
    return hashlib.sha256(json.dumps(value, default=str).encode()).hexdigest()[:8]


def below(one: str, key: str) -> bool:
    """Whether a key is that key or stands below it.

    >>> below("a.b", "a"), below("a[x]", "a"), below("ab", "a")
    (True, True, False)
    """
    return one.startswith(key) and one[len(key) :][:1] in ("", ".", "[")


def foreign(path: str, ours: str, theirs: str, *, is_closed: bool) -> list[Foreign]:
    """The keys of theirs that are not ours; none where the files are no JSON or YAML."""
    if ours == theirs:
        return []
    one, two = parsed(path, ours), parsed(path, theirs)
    return [] if one is None or two is None else list(_foreign(one, two, "", is_inside=is_closed))


def merged(path: str, ours: str, theirs: str, keys: Collection[str]) -> str:
    """Our text with those keys of theirs."""
    both = _merged(parsed(path, ours), parsed(path, theirs), "", keys)
    return to_json(both) if path.endswith(".json") else to_yaml(both, comment_of(ours))


def _merged(ours: Any, theirs: Any, at: str, keys: Collection[str]) -> Any:
    """Ours, and after it what only theirs has, as far as it may stay."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        both = {
            key: _merged(value, theirs[key], _below(at, key), keys) if key in theirs else value
            for key, value in ours.items()
        }
        return both | {key: one for key, one in theirs.items() if key not in ours and _below(at, key) in keys}
    if isinstance(ours, list) and isinstance(theirs, list):
        names, others = _names(ours), _names(theirs)
        if names is not None and others is not None:
            known = dict(zip(others, theirs, strict=True))
            found = [
                _merged(value, known.get(name, value), f"{at}[{name}]", keys)
                for name, value in zip(names, ours, strict=True)
            ]
            return found + [one for name, one in known.items() if name not in names and f"{at}[{name}]" in keys]
    return ours


def _missing(ours: Any, theirs: Any, at: str) -> Iterator[tuple[str, str]]:
    """What of ours is not so in theirs."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in ours.items():
            place = _below(at, key)
            if key not in theirs:
                yield place, "is missing"
            else:
                yield from _missing(value, theirs[key], place)
    elif isinstance(ours, list) and isinstance(theirs, list):
        yield from _of_lists(ours, theirs, at)
    elif ours != theirs or type(ours) is not type(theirs):
        yield at, f"is {json.dumps(theirs, default=str)}, not {json.dumps(ours, default=str)}"


def _of_lists(ours: list[Any], theirs: list[Any], at: str) -> Iterator[tuple[str, str]]:
    """Lists of named things may hold more than ours, in our order; others must be equal."""
    names, others = _names(ours), _names(theirs)
    if names is None or others is None:
        if ours != theirs:
            yield at, f"is {json.dumps(theirs, default=str)[:200]}, not {json.dumps(ours, default=str)[:200]}"
        return
    for name, value in zip(names, ours, strict=True):
        if name not in others:
            yield f"{at}[{name}]", "is missing"
        else:
            yield from _missing(value, theirs[others.index(name)], f"{at}[{name}]")
    kept = [name for name in others if name in names]
    if kept != [name for name in names if name in others]:
        yield at, "is in another order"


def _foreign(ours: Any, theirs: Any, at: str, *, is_inside: bool) -> Iterator[Foreign]:
    """Keys of theirs that ours does not have."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in theirs.items():
            if key not in ours:
                yield Foreign(_below(at, key), INSIDE if is_inside else "")
            else:
                yield from _foreign(ours[key], value, _below(at, key), is_inside=is_inside)
    elif isinstance(ours, list) and isinstance(theirs, list):
        names, others = _names(ours), _names(theirs)
        if names is None or others is None:
            return
        called = {(key, one[key]) for one in ours for key in NAMED_BY if isinstance(one.get(key), str)}
        for name, value in zip(others, theirs, strict=True):
            place = f"{at}[{name}]"
            if name in names:
                yield from _foreign(ours[names.index(name)], value, place, is_inside=True)
            elif any((key, value[key]) in called for key in NAMED_BY if isinstance(value.get(key), str)):
                yield Foreign(place, BESIDE)
            else:
                yield Foreign(place, INSIDE if is_inside else "")


def _names(items: list[Any]) -> list[str] | None:
    """What identifies each item of a list of mappings; None where something is not named, or a name comes twice."""
    names = []
    for item in items:
        if not isinstance(item, dict):
            return None
        info = item.get("model_info")
        own = info.get("id") if isinstance(info, dict) else None
        found = own or next((item[key] for key in NAMED_BY if isinstance(item.get(key), str)), None)
        if found is None:
            return None
        names.append(str(found))
    return names if len(set(names)) == len(names) else None


def _below(at: str, key: Any) -> str:
    return f"{at}.{key}" if at else str(key)
