"""Exported files on disk: the lock beside them, and writing them whole.

The lock has an entry for each target: what it was made from, what it loses, the digests of its files and of their keys.
Whatever is asked of some targets leaves the entries and the files of the others as they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from costctl.errors import CostctlError
from costctl.export.base import Agreement, Exported, Target
from costctl.export.comparing import foreign, leaves, merged
from costctl.export.resolved import Resolved
from costctl.export.text import to_json

LOCK = "costctl-export.lock.json"
LOCK_VERSION = 3
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
            "files": {path: digest_of(text) for path, text in files.items()},
            "keys": {path: keys for path, text in files.items() if (keys := leaves(path, text))},
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
        for name, entry in entries_of(lock_of(folder)).items():
            if all(entry.get(key) == value for key, value in same.items()):
                parts = {"routing": entry["agreement"]} | {one["part"]: one["agreement"] for one in entry["losses"]}
                known[name] = {part: Agreement(**counts) for part, counts in parts.items() if counts is not None}
    except (KeyError, TypeError, AttributeError):  # somebody's hand
        return {}
    return known


def other_targets(folder: Path, tree: Tree) -> list[str]:
    """The targets of the folder's lock that are none of the tree's."""
    return [name for name in entries_of(lock_of(folder)) if name not in tree.entries]


def planned(folder: Path, tree: Tree) -> dict[str, str]:
    """The text of every file as it is to be written, the lock last: ours, with the keys of others that may stay."""
    lock = lock_of(folder)
    before, entries, texts = entries_of(lock), {}, {}
    for name, entry in tree.entries.items():
        files, kept = {}, {}
        for path in entry["files"]:
            ours, there = tree.owned[path], text_at(folder / path)
            keys = [] if there is None else _left_alone(tree, path, there, before.get(name))
            texts[path] = ours if not keys or there is None else merged(path, ours, there, keys)
            files[path] = digest_of(texts[path])
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


def unmanaged(folder: Path, tree: Tree) -> list[tuple[str, str]]:
    """Path and key of whatever stands in the folder's files, is not ours, and is left alone."""
    before, found = entries_of(lock_of(folder)), []
    for name, entry in tree.entries.items():
        for path in entry["files"]:
            there = text_at(folder / path)
            keys = [] if there is None else _left_alone(tree, path, there, before.get(name))
            found += [(path, key) for key in keys]
    return found


def stale(folder: Path, tree: Tree) -> list[str]:
    """Files that the lock names, that are there, and that writing the tree leaves behind."""
    known = [
        path for name, entry in entries_of(lock_of(folder)).items() if tree.is_whole or name in tree.entries
        for path in files_of(entry)
    ]  # fmt: skip
    return [path for path in known if path not in tree.owned and (folder / path).is_file()]


def _left_alone(tree: Tree, path: str, there: str, before: Entry | None) -> list[str]:
    """The keys of others in a file that stay.

    Of a file that nobody touched since it was written these are the ones that were kept then: what else is not in our
    new text was ours.
    """
    keys = [one.key for one in foreign(path, tree.owned[path], there, is_closed=path in tree.closed) if not one.changes]
    if digest_of(there) != files_of(before).get(path):
        return keys
    kept = (before or {}).get("kept", {})
    kept = kept.get(path, ()) if isinstance(kept, dict) else ()
    return [key for key in keys if key in kept]


def lock_of(folder: Path) -> dict[str, Any] | None:
    """The lock of a folder, None where it cannot be read."""
    try:
        found = json.loads((folder / LOCK).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def entries_of(lock: Mapping[str, Any] | None) -> dict[str, Entry]:
    """The entries of a lock by target; of another layout none."""
    found = (lock or {}).get("targets") if (lock or {}).get("lock_version") == LOCK_VERSION else None
    return {name: one for name, one in found.items() if isinstance(one, dict)} if isinstance(found, dict) else {}


def files_of(entry: Entry | None) -> dict[str, str]:
    """The digests of a target's files by path."""
    found = (entry or {}).get("files")
    return found if isinstance(found, dict) else {}


def text_at(target: Path) -> str | None:
    """The text of a file, None where there is none."""
    return target.read_text("utf-8", errors="replace") if target.is_file() else None


def digest_of(text: str) -> str:
    """Of a whole text."""
    return hashlib.sha256(text.encode()).hexdigest()
