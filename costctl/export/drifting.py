"""Why exported files differ from what the policy gives, key by key, and what writing them would undo.

A key is a hand edit where it is not what the lock says was exported; what is still so differs because the policy, the
prices or costctl changed. A lock of before tells no keys: then a whole file is one or the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from costctl.export.comparing import Leaves, below, differences, leaves
from costctl.export.files import (
    LOCK,
    LOCK_VERSION,
    Entry,
    Tree,
    digest_of,
    entries_of,
    files_of,
    lock_of,
    planned,
    text_at,
)
from costctl.report import counted

_ORIGIN = {"policy_digest": "policy", "price_digest": "prices", "costctl": "version", "verified": "version"}
_MADE = {
    "policy": "was made from another policy", "prices": "was made from other prices",
    "version": "was made by another version",
}  # fmt: skip
NO_FOLDER, NO_LOCK, BROKEN_LOCK, HAND = "no folder", "no lock", "broken lock", "hand edit"


class Drift(NamedTuple):
    """One difference between a folder and what the policy gives.

    `cause` is policy, prices, version or hand edit; of a whole folder also that it or its lock is missing.
    """

    path: str
    key: str
    cause: str
    says: str


def drifts(folder: Path, tree: Tree) -> list[Drift]:
    """Where the folder differs from the tree in what costctl owns; empty where nothing does."""
    lock = lock_of(folder)
    if lock is None:
        return [_without_lock(folder)]
    if lock.get("lock_version") != LOCK_VERSION:
        return [Drift(LOCK, "", "version", "has the layout of another version of costctl")]
    before = entries_of(lock)
    found = [one for name in tree.entries for one in _of_target(folder, tree, name, before.get(name))]
    if tree.is_whole:
        gone = [path for name, entry in before.items() if name not in tree.entries for path in files_of(entry)]
        found += [Drift(path, "", "policy", "is not exported any more") for path in gone if (folder / path).exists()]
    return found


def _without_lock(folder: Path) -> Drift:
    """What is wrong with a folder of which nothing says what was exported."""
    if not folder.is_dir():
        return Drift(LOCK, "", NO_FOLDER, "is missing: there is no such folder; nothing was exported, or elsewhere")
    if not (folder / LOCK).exists():
        return Drift(LOCK, "", NO_LOCK, "is missing: nothing was exported to this folder, or the lock was deleted")
    try:
        json.loads((folder / LOCK).read_text("utf-8"))
    except OSError as error:
        return Drift(LOCK, "", BROKEN_LOCK, f"cannot be read: {error.strerror or error}")
    except ValueError as error:
        return Drift(LOCK, "", BROKEN_LOCK, f"is no JSON: {error}")
    return Drift(LOCK, "", BROKEN_LOCK, "is no JSON object")


def _of_target(folder: Path, tree: Tree, name: str, before: Entry | None) -> Iterator[Drift]:
    """What differs of one target; `before` is its entry in the lock of the folder, None where it has none."""
    entry, is_any = tree.entries[name], False
    if before is None:
        yield Drift(LOCK, f"targets.{name}", "policy", "is missing: this target was not exported here")
    origin = next((cause for key, cause in _ORIGIN.items() if before is not None and before.get(key) != entry[key]), "")
    for path in dict.fromkeys((*entry["files"], *files_of(before))):
        there = text_at(folder / path)
        for key, says in _said(folder / path, path, tree, there):
            is_any = True
            is_hand = before is not None and (not origin or _is_hand(path, key, there, before))
            yield Drift(path, key, HAND if is_hand else origin or "policy", says)
    if origin and not is_any:  # the files are as they should be, and made from something else
        yield Drift(LOCK, f"targets.{name}", origin, _MADE[origin])


def _is_hand(path: str, key: str, there: str | None, before: Entry) -> bool:
    """Whether what stands at a key of a file is not what was exported there."""
    if path not in files_of(before) or (there is not None and digest_of(there) == files_of(before)[path]):
        return False
    keys = before.get("keys")
    known = keys.get(path) if isinstance(keys, dict) else None
    if there is None or not key or not isinstance(known, dict):
        return True
    return _at(known, key) != _at(leaves(path, there), key)


def _at(found: Leaves, key: str) -> Leaves:
    """The values at a key and below it."""
    return {one: value for one, value in found.items() if below(one, key)}


def _said(target: Path, path: str, tree: Tree, there: str | None) -> Iterator[tuple[str, str]]:
    """Key and words of what differs in a file."""
    if path not in tree.owned:
        if there is not None:
            yield "", "is not exported any more"
    elif there is None:
        yield "", "is a folder, not a file" if target.is_dir() else "is missing"
    else:
        yield from differences(path, tree.owned[path], there, is_closed=path in tree.closed)


def undone(folder: Path, tree: Tree) -> list[Drift]:
    """What writing the tree takes away of what somebody wrote into its files: keys of ours, and comments."""
    before, texts, found = entries_of(lock_of(folder)), planned(folder, tree), []
    for name, entry in tree.entries.items():
        rows = list(_of_target(folder, tree, name, before.get(name)))
        for path in entry["files"]:
            there = text_at(folder / path)
            if there is None or there == texts[path] or digest_of(there) == files_of(before.get(name)).get(path):
                continue
            # Without an entry nothing here was exported: all of it is somebody's.
            found += [
                one._replace(cause=HAND) for one in rows
                if one.path == path and (name not in before or one.cause == HAND)
            ]  # fmt: skip
            ours = set(texts[path].splitlines())
            lost = sum(line.lstrip().startswith("#") and line not in ours for line in there.splitlines())
            if lost and path.endswith((".yaml", ".yml")):
                found.append(Drift(path, "", HAND, f"has {counted(lost, 'comment')} that no export keeps"))
    return found


def causes_of(folder: Path, tree: Tree) -> dict[str, str]:
    """Why each file differs, by path, with commas."""
    found: dict[str, list[str]] = {}
    for one in [*drifts(folder, tree), *undone(folder, tree)]:
        found.setdefault(one.path, []).append(one.cause)
    return {path: ", ".join(dict.fromkeys(causes)) for path, causes in found.items()}
