"""Exported files on disk: the lock beside them, writing them whole, and finding out why they differ."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from costctl.errors import CostctlError
from costctl.export.base import Agreement, Exported, Target
from costctl.export.resolved import Resolved
from costctl.export.text import comment_of, to_json, to_yaml

LOCK = "costctl-export.lock.json"
LOCK_VERSION = 2
NAMED_BY = ("model_name", "name", "id", "slug", "model")
"""Keys by which items of two lists are held to be the same one."""


@dataclass(frozen=True)
class Tree:
    """All files of an export by path below its folder, the lock among them."""

    files: Mapping[str, str]
    owned: Mapping[str, str]  # without the lock


class Drift(NamedTuple):
    """One difference between a folder and what the policy gives now; `cause` is policy, hand edit or version."""

    path: str
    key: str
    cause: str
    says: str


def tree_of(given: Resolved, exported: Sequence[tuple[Target, Exported]]) -> Tree:
    """Every target in a folder of its own, and the lock that says what they were made from."""
    owned = {f"{target.name}/{path}": text for target, one in exported for path, text in sorted(one.files.items())}
    lock = {
        "lock_version": LOCK_VERSION, "policy_digest": given.policy_digest, "price_digest": given.price_digest,
        "costctl": given.version, "targets": {target.name: target.verified for target, _ in exported},
        "losses": {
            target.name: [
                {"part": loss.part, "kind": loss.kind, "agreement": _counts(loss.agreement)}
                for loss in one.losses if loss.kind != "expressed"
            ]
            for target, one in exported
        },
        "agreement": {target.name: _counts(one.agreement) for target, one in exported},
        "files": {path: _digest(text) for path, text in owned.items()},
    }  # fmt: skip
    return Tree({**owned, LOCK: to_json(lock)}, owned)


def _counts(agreement: Agreement | None) -> dict[str, int] | None:
    return None if agreement is None else agreement._asdict()


def kept_agreement(folder: Path, given: Resolved) -> dict[str, dict[str, Agreement]]:
    """What was measured when the folder was written, by target and part; nothing where the policy or costctl differs.

    The agreement of all calls of a target stands under `routing`.
    """
    lock = _lock(folder) or {}
    same = {"policy_digest": given.policy_digest, "price_digest": given.price_digest, "costctl": given.version}
    if any(lock.get(key) != value for key, value in same.items()):
        return {}
    try:
        found = {name: {one["part"]: one["agreement"] for one in listed} for name, listed in lock["losses"].items()}
        for name, counts in lock["agreement"].items():
            found.setdefault(name, {})["routing"] = counts
        return {
            name: {part: Agreement(**counts) for part, counts in parts.items() if counts is not None}
            for name, parts in found.items()
        }
    except (KeyError, TypeError, AttributeError):  # another layout, or somebody's hand
        return {}


def write_tree(folder: Path, tree: Tree) -> list[str]:
    """Write every file that is not as it should be; the paths that were written. The lock comes last.

    Keys of JSON and YAML files that are not ours stay.

    Raises:
        CostctlError: E470 where the folder cannot be written.
    """
    written = []
    lock, before = json.loads(tree.files[LOCK]), _lock(folder)
    try:
        for path, text in tree.owned.items():
            kept = _with_theirs(folder / path, text) if _is_edited(folder, path, before) else text
            lock["files"][path] = _digest(kept)
            if _write(folder / path, kept):
                written.append(path)
        if _write(folder / LOCK, to_json(lock)):
            written.append(LOCK)
    except OSError as error:
        raise CostctlError("E470", f"cannot write {folder}: {error.strerror or error}", "--out FOLDER") from error
    return written


def _is_edited(folder: Path, path: str, lock: Mapping[str, Any] | None) -> bool:
    """Whether somebody changed a file since it was written, so that it may hold keys that are not ours."""
    target = folder / path
    known = (lock or {}).get("files", {}).get(path)
    return target.is_file() and _digest(target.read_text("utf-8", errors="replace")) != known


def _write(target: Path, text: str) -> bool:
    """Whole or not at all; False where the file is so already."""
    if target.is_file() and target.read_bytes() == text.encode():
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    spare = target.with_name(f".{target.name}.costctl")
    spare.write_bytes(text.encode())
    spare.replace(target)
    return True


def _with_theirs(target: Path, text: str) -> str:
    """Our text with the keys that others have put into the file."""
    if not target.is_file():
        return text
    ours, theirs = _parsed(str(target), text), _parsed(str(target), target.read_text("utf-8", errors="replace"))
    if ours is None or theirs is None or not list(_extra(ours, theirs, "")):
        return text
    both = _merged(ours, theirs)
    return to_json(both) if target.suffix == ".json" else to_yaml(both, comment_of(text))


def _merged(ours: Any, theirs: Any) -> Any:
    """Ours, and after it what only theirs has."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        both = {key: _merged(value, theirs[key]) if key in theirs else value for key, value in ours.items()}
        return both | {key: value for key, value in theirs.items() if key not in ours}
    if isinstance(ours, list) and isinstance(theirs, list):
        names, others = _names(ours), _names(theirs)
        if names is not None and others is not None:
            known = dict(zip(others, theirs, strict=True))
            found = [_merged(value, known.get(name, value)) for name, value in zip(names, ours, strict=True)]
            return found + [value for name, value in known.items() if name not in names]
    return ours


def drifts(folder: Path, tree: Tree) -> list[Drift]:
    """Where the folder differs from the tree in what costctl owns; empty where nothing does.

    Files are compared by meaning where they are JSON or YAML: keys that are not ours are left alone.
    """
    lock = _lock(folder)
    wanted = json.loads(tree.files[LOCK])
    if lock is None:
        return [
            Drift(LOCK, "", "hand edit", "is missing or not readable: nothing was exported here, or it was deleted")
        ]
    found: list[Drift] = []
    for path in [*tree.owned, *(path for path in lock.get("files", {}) if path not in tree.owned)]:
        target = folder / path
        there = target.read_text("utf-8", errors="replace") if target.is_file() else None
        was_edited = there is None or _digest(there) != lock.get("files", {}).get(path)
        for key, says in _differences(path, tree.owned.get(path), there):
            found.append(Drift(path, key, _cause(lock, wanted, path, was_edited=was_edited), says))
    if not found and any(
        lock.get(key) != wanted[key] for key in ("policy_digest", "price_digest", "costctl", "targets")
    ):
        # The files are as they should be, and made from something else.
        found.append(Drift(LOCK, "", _cause(lock, wanted, LOCK, was_edited=False), "names another origin"))
    return found


def unmanaged(folder: Path, tree: Tree) -> list[str]:
    """Keys that stand in the folder's files and are not ours."""
    found, lock = [], _lock(folder)
    for path, text in tree.owned.items():
        target = folder / path
        if _is_edited(folder, path, lock):
            ours, theirs = _parsed(path, text), _parsed(path, target.read_text("utf-8", errors="replace"))
            if ours is not None and theirs is not None:
                found += [f"{path}: {key}" for key in _extra(ours, theirs, "")]
    return found


def _cause(lock: Mapping[str, Any], wanted: Mapping[str, Any], path: str, *, was_edited: bool) -> str:
    """Why a file differs: it was edited since it was written, else what it is made from has changed."""
    if was_edited and lock.get("files", {}).get(path) is not None:
        return "hand edit"
    if lock.get("policy_digest") != wanted["policy_digest"]:
        return "policy"
    if lock.get("price_digest") != wanted["price_digest"]:
        return "prices"
    if lock.get("costctl") != wanted["costctl"] or lock.get("targets") != wanted["targets"]:
        return "version"
    return "hand edit"


def _lock(folder: Path) -> dict[str, Any] | None:
    try:
        found = json.loads((folder / LOCK).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("files", {}), dict) else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _parsed(path: str, text: str) -> Any:
    """The values of a JSON or YAML text, None of anything else."""
    try:
        if path.endswith(".json"):
            return json.loads(text)
        if path.endswith((".yaml", ".yml")):
            return yaml.safe_load(text)
    except (ValueError, yaml.YAMLError):
        return None
    return None


def _differences(path: str, ours: str | None, theirs: str | None) -> Iterator[tuple[str, str]]:
    if ours is None:
        if theirs is not None:
            yield "", "is not exported any more"
    elif theirs is None:
        yield "", "is missing"
    elif ours != theirs:
        one, two = _parsed(path, ours), _parsed(path, theirs)
        if one is None or two is None:
            yield "", "differs"
        else:
            yield from _missing(one, two, "")


def _missing(ours: Any, theirs: Any, at: str) -> Iterator[tuple[str, str]]:
    """What of ours is not so in theirs."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in ours.items():
            place = f"{at}.{key}" if at else str(key)
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


def _extra(ours: Any, theirs: Any, at: str) -> Iterator[str]:
    """Keys of theirs that ours does not have."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in theirs.items():
            place = f"{at}.{key}" if at else str(key)
            if key not in ours:
                yield place
            else:
                yield from _extra(ours[key], value, place)
    elif isinstance(ours, list) and isinstance(theirs, list):
        names, others = _names(ours), _names(theirs)
        if names is not None and others is not None:
            for name, value in zip(others, theirs, strict=True):
                if name not in names:
                    yield f"{at}[{name}]"
                else:
                    yield from _extra(ours[names.index(name)], value, f"{at}[{name}]")
