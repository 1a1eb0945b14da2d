"""Exported files on disk: the lock beside them, writing them whole, and finding out why they differ.

The lock has an entry for each target: what it was made from, what it loses, and the digests of its files. Whatever is
asked of some targets leaves the entries and the files of the others as they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from costctl.errors import CostctlError
from costctl.export.base import Agreement, Exported, Target
from costctl.export.comparing import differences, foreign, merged
from costctl.export.resolved import Resolved
from costctl.export.text import to_json

LOCK = "costctl-export.lock.json"
LOCK_VERSION = 3
_ORIGIN = {"policy_digest": "policy", "price_digest": "prices", "costctl": "version", "verified": "version"}
_MADE = {
    "policy": "was made from another policy", "prices": "was made from other prices",
    "version": "was made by another version",
}  # fmt: skip

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Tree:
    """All files of an export by path below its folder, and the entry of each target in the lock.

    `is_whole` where these are all targets that there shall be; `closed` are the paths of files in which no key of
    others is left alone.
    """

    owned: Mapping[str, str]  # without the lock
    entries: Mapping[str, Entry]
    is_whole: bool = True
    closed: frozenset[str] = field(default_factory=frozenset)

    @property
    def paths(self) -> tuple[str, ...]:
        """Of all files, the lock last."""
        return (*self.owned, LOCK)


class Drift(NamedTuple):
    """One difference between a folder and what the policy gives; `cause` is policy, prices, version or hand edit."""

    path: str
    key: str
    cause: str
    says: str


def tree_of(given: Resolved, exported: Sequence[tuple[Target, Exported]], *, is_whole: bool = True) -> Tree:
    """Every target in a folder of its own, and what the lock says of it."""
    owned: dict[str, str] = {}
    entries: dict[str, Entry] = {}
    for target, one in exported:
        files = {f"{target.name}/{path}": text for path, text in sorted(one.files.items())}
        owned |= files
        entries[target.name] = {
            "policy_digest": given.policy_digest, "price_digest": given.price_digest, "costctl": given.version,
            "verified": target.verified,
            "losses": [
                {"part": loss.part, "kind": loss.kind, "agreement": _counts(loss.agreement)}
                for loss in one.losses if loss.kind != "expressed"
            ],
            "agreement": _counts(one.agreement),
            "files": {path: _digest(text) for path, text in files.items()},
            "kept": {},
        }  # fmt: skip
    closed = {path for target, _ in exported if target.is_closed for path in entries[target.name]["files"]}
    return Tree(owned, entries, is_whole, frozenset(closed))


def _counts(agreement: Agreement | None) -> dict[str, int] | None:
    return None if agreement is None else agreement._asdict()


def kept_agreement(folder: Path, given: Resolved) -> dict[str, dict[str, Agreement]]:
    """What was measured when the folder was written, by target and part; nothing where the policy or costctl differs.

    The agreement of all calls of a target stands under `routing`.
    """
    same = {"policy_digest": given.policy_digest, "price_digest": given.price_digest, "costctl": given.version}
    known = {}
    try:
        for name, entry in _entries(_lock(folder)).items():
            if all(entry.get(key) == value for key, value in same.items()):
                parts = {"routing": entry["agreement"]} | {one["part"]: one["agreement"] for one in entry["losses"]}
                known[name] = {part: Agreement(**counts) for part, counts in parts.items() if counts is not None}
    except (KeyError, TypeError, AttributeError):  # somebody's hand
        return {}
    return known


def other_targets(folder: Path, tree: Tree) -> list[str]:
    """The targets of the folder's lock that are none of the tree's."""
    return [name for name in _entries(_lock(folder)) if name not in tree.entries]


def planned(folder: Path, tree: Tree) -> dict[str, str]:
    """The text of every file as it is to be written, the lock last: ours, with the keys of others that may stay."""
    lock = _lock(folder)
    before, entries, texts = _entries(lock), {}, {}
    for name, entry in tree.entries.items():
        files, kept = {}, {}
        for path in entry["files"]:
            ours, there = tree.owned[path], _text(folder / path)
            keys = [] if there is None else _left_alone(tree, path, there, before.get(name))
            texts[path] = ours if not keys or there is None else merged(path, ours, there, keys)
            files[path] = _digest(texts[path])
            if keys:
                kept[path] = keys
        entries[name] = {**entry, "files": files, "kept": kept}
    others = {} if tree.is_whole else {name: one for name, one in before.items() if name not in entries}
    return {
        **texts,
        LOCK: to_json({"lock_version": LOCK_VERSION, "targets": dict(sorted({**others, **entries}.items()))}),
    }


def write_tree(folder: Path, tree: Tree) -> list[str]:
    """Write every file that is not as it should be; the paths that were written. The lock comes last.

    Raises:
        CostctlError: E470 where a file cannot be written.
    """
    return [path for path, text in planned(folder, tree).items() if _write(folder / path, text)]


def _write(target: Path, text: str) -> bool:
    """Whole or not at all; False where the file is so already."""
    spare = target.with_name(f".{target.name}.costctl")
    try:
        if target.is_dir():
            raise IsADirectoryError(None, "a folder stands in its place")
        if target.is_file() and target.read_bytes() == text.encode():
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        spare.write_bytes(text.encode())
        spare.replace(target)
    except OSError as error:
        hint = "move away what stands there, or choose another folder: --folder FOLDER"
        raise CostctlError("E470", f"cannot write {target}: {error.strerror or error}", hint) from error
    return True


def drifts(folder: Path, tree: Tree) -> list[Drift]:
    """Where the folder differs from the tree in what costctl owns; empty where nothing does."""
    lock = _lock(folder)
    if lock is None:
        return [
            Drift(LOCK, "", "hand edit", "is missing or not readable: nothing was exported here, or it was deleted")
        ]
    if lock.get("lock_version") != LOCK_VERSION:
        return [Drift(LOCK, "", "version", "has the layout of another version of costctl")]
    before = _entries(lock)
    found = [one for name in tree.entries for one in _of_target(folder, tree, name, before.get(name))]
    if tree.is_whole:
        gone = [path for name, entry in before.items() if name not in tree.entries for path in _files(entry)]
        found += [Drift(path, "", "policy", "is not exported any more") for path in gone if (folder / path).exists()]
    return found


def _of_target(folder: Path, tree: Tree, name: str, before: Entry | None) -> Iterator[Drift]:
    """What differs of one target; `before` is its entry in the lock of the folder, None where it has none."""
    entry, is_any = tree.entries[name], False
    if before is None:
        yield Drift(LOCK, f"targets.{name}", "policy", "is missing: this target was not exported here")
    origin = next((cause for key, cause in _ORIGIN.items() if before is not None and before.get(key) != entry[key]), "")
    for path in dict.fromkeys((*entry["files"], *_files(before))):
        there = _text(folder / path)
        for key, says in _said(folder / path, path, tree, there):
            is_any = True
            was_edited = there is None or _digest(there) != _files(before).get(path)
            is_hand = before is not None and (not origin or (was_edited and path in _files(before)))
            yield Drift(path, key, "hand edit" if is_hand else origin or "policy", says)
    if origin and not is_any:  # the files are as they should be, and made from something else
        yield Drift(LOCK, f"targets.{name}", origin, _MADE[origin])


def _said(target: Path, path: str, tree: Tree, there: str | None) -> Iterator[tuple[str, str]]:
    """Key and words of what differs in a file."""
    if path not in tree.owned:
        if there is not None:
            yield "", "is not exported any more"
    elif there is None:
        yield "", "is a folder, not a file" if target.is_dir() else "is missing"
    else:
        yield from differences(path, tree.owned[path], there, is_closed=path in tree.closed)


def unmanaged(folder: Path, tree: Tree) -> list[tuple[str, str]]:
    """Path and key of whatever stands in the folder's files, is not ours, and is left alone."""
    before, found = _entries(_lock(folder)), []
    for name, entry in tree.entries.items():
        for path in entry["files"]:
            there = _text(folder / path)
            keys = [] if there is None else _left_alone(tree, path, there, before.get(name))
            found += [(path, key) for key in keys]
    return found


def stale(folder: Path, tree: Tree) -> list[str]:
    """Files that the lock names, that are there, and that writing the tree leaves behind."""
    known = [
        path for name, entry in _entries(_lock(folder)).items() if tree.is_whole or name in tree.entries
        for path in _files(entry)
    ]  # fmt: skip
    return [path for path in known if path not in tree.owned and (folder / path).is_file()]


def _left_alone(tree: Tree, path: str, there: str, before: Entry | None) -> list[str]:
    """The keys of others in a file that stay.

    Of a file that nobody touched since it was written these are the ones that were kept then: what else is not in our
    new text was ours.
    """
    keys = [one.key for one in foreign(path, tree.owned[path], there, is_closed=path in tree.closed) if not one.changes]
    if _digest(there) != _files(before).get(path):
        return keys
    kept = (before or {}).get("kept", {})
    kept = kept.get(path, ()) if isinstance(kept, dict) else ()
    return [key for key in keys if key in kept]


def _lock(folder: Path) -> dict[str, Any] | None:
    try:
        found = json.loads((folder / LOCK).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _entries(lock: Mapping[str, Any] | None) -> dict[str, Entry]:
    """The entries of a lock by target; of another layout none."""
    found = (lock or {}).get("targets") if (lock or {}).get("lock_version") == LOCK_VERSION else None
    return {name: one for name, one in found.items() if isinstance(one, dict)} if isinstance(found, dict) else {}


def _files(entry: Entry | None) -> dict[str, str]:
    """The digests of a target's files by path."""
    found = (entry or {}).get("files")
    return found if isinstance(found, dict) else {}


def _text(target: Path) -> str | None:
    return target.read_text("utf-8", errors="replace") if target.is_file() else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
