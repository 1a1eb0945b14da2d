"""What may stand in a file of tier rules, and every fault of one at once, with its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from costctl.errors import CostctlError, Problem
from costctl.tiers.fields import BOOLEANS, NUMBERS, SIGNALS, TEXTS

TIERS = ("A", "B", "C")
KEYS = (
    "version", "defaults", "intents", "fillers", "signals", "durations", "thresholds", "rules", "floors", "score",
)  # fmt: skip
HINT = f"keys: {', '.join(KEYS)}; costctl init --tier-rules writes the shipped rules as an example"
INTENT_KEYS = ("name", "tier", "alone", "max_words", "with", "without", "cues")
RULE_KEYS = ("name", "when", "tier", "intent")
FLOOR_KEYS = ("name", "when", "at_least")
SCORE_KEYS = ("weights", "at_least")
FIELDS = (*NUMBERS, *BOOLEANS, *TEXTS, "any")
COMPARISON = re.compile(r"(>=|<=|>|<|=)\s*(\d+|[a-z_]+)")

Path_ = tuple[str | int, ...]


def read_rules(path: Path, known_thresholds: Iterable[str] | None = None) -> dict[str, Any]:
    """The content of a file of tier rules, checked.

    Raises:
        CostctlError: E310 when it cannot be read as YAML, E311 with all faults in `problems`.
    """
    try:
        text = path.read_text("utf-8")
        node, content = _parsed(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        problem = Problem(str(path), line, column, "", error.problem or "not YAML")
        raise CostctlError("E310", f"cannot read tier rules: {problem}", problems=(problem,)) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CostctlError("E310", f"cannot read tier rules: {path}", str(error).splitlines()[0]) from error
    if not isinstance(content, dict):
        raise CostctlError("E310", f"tier rules in {path} are not a mapping", HINT)
    check = _Check(path, node, known_thresholds)
    check.file(content)
    if check.problems:
        count = len(check.problems)
        first = f"{check.problems[0]}" + (f" (and {count - 1} more)" if count > 1 else "")
        raise CostctlError("E311", first, HINT, problems=tuple(check.problems))
    return content


def _parsed(text: str) -> tuple[yaml.Node | None, Any]:
    """The document as nodes, which know their places, and as values."""
    try:
        return _read(_QuickLoader(text))
    except yaml.MarkedYAMLError:
        return _read(_Loader(text))  # the parser in Python places a fault better


def _read(loader: Any) -> tuple[yaml.Node | None, Any]:
    node = loader.get_single_node()
    return node, loader.construct_document(node) if node else None


class _Loader(yaml.SafeLoader):
    """YAML with the truth values of version 1.2 only, because "no" and "yes" are cues."""


class _QuickLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # in C where it is built
    """The same, three times as quick."""


for _class in (_Loader, _QuickLoader):
    _class.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    _class.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), ["t", "f"])


class _Check:
    """Collects the faults of one file."""

    def __init__(self, path: Path, node: yaml.Node | None, known_thresholds: Iterable[str] | None) -> None:
        self.problems: list[Problem] = []
        self._path = str(path)
        self._marks: dict[Path_, tuple[int, int]] = {}
        self._known_thresholds = known_thresholds
        self._thresholds: list[str] = []
        if node is not None:
            self._mark(node, ())

    def _mark(self, node: yaml.Node, at: Path_) -> None:
        self._marks.setdefault(at, (node.start_mark.line + 1, node.start_mark.column + 1))
        if isinstance(node, yaml.SequenceNode):
            for number, item in enumerate(node.value):
                self._mark(item, (*at, number))
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                place: Path_ = (*at, int(key.value) if str(key.value).isdigit() else str(key.value))
                if place in self._marks:
                    mark = (key.start_mark.line + 1, key.start_mark.column + 1)
                    self.problems.append(Problem(self._path, *mark, _key(place), "stands twice"))
                self._marks[place] = (key.start_mark.line + 1, key.start_mark.column + 1)
                self._mark(value, place)

    def _add(self, at: Path_, message: str) -> None:
        line, column = next(self._marks[at[:end]] for end in range(len(at), -1, -1) if at[:end] in self._marks)
        self.problems.append(Problem(self._path, line, column, _key(at), message))

    def _known(self, at: Path_, value: Any, known: Iterable[str], what: str) -> bool:
        names = list(known)
        if value in names:
            return True
        near = get_close_matches(str(value), names, n=1)
        self._add(at, f"unknown {what}" + (f", did you mean {near[0]}?" if near else f"; known: {', '.join(names)}"))
        return False

    def _keys(self, at: Path_, value: Any, known: Iterable[str], what: str = "key") -> list[str]:
        """The known keys of a mapping; the others are faults."""
        if not isinstance(value, dict):
            self._add(at, "must be a mapping")
            return []
        names = list(known)
        return [key for key in value if self._known((*at, key), key, names, what)]

    def _items(self, at: Path_, value: Any) -> list[tuple[Path_, Any]]:
        if isinstance(value, list):
            return [((*at, number), item) for number, item in enumerate(value)]
        self._add(at, "must be a list")
        return []

    def _whole(self, at: Path_, value: Any) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            self._add(at, "must be a whole number, zero or more")

    def file(self, content: dict[str, Any]) -> None:
        """Every part of the file, thresholds first, because rules may name them."""
        keys = self._keys((), content, KEYS)
        if content.get("version", 1) != 1:
            self._add(("version",), "must be 1")
        if not isinstance(content.get("defaults", True), bool):
            self._add(("defaults",), "must be true or false")
        # Without defaults the thresholds of the file are all there are, and may have any name.
        own = self._known_thresholds is None or content.get("defaults") is False
        self._thresholds = sorted(map(str, (content.get("thresholds") if own else self._known_thresholds) or ()))
        parts = {
            "thresholds": self._limits, "signals": self._signals, "durations": self._durations,
            "fillers": self._cues, "intents": self._intents, "rules": self._rules, "floors": self._floors,
            "score": self._score,
        }  # fmt: skip
        for name, part in parts.items():
            if name in keys:
                part((name,), content[name])

    def _limits(self, at: Path_, value: Any) -> None:
        for key in self._keys(at, value, self._thresholds, "threshold"):
            self._whole((*at, key), value[key])

    def _signals(self, at: Path_, value: Any) -> None:
        for key in self._keys(at, value, SIGNALS, "signal"):
            for place, item in self._items((*at, key), value[key]):
                self._cues(place, item if isinstance(item, list) else [item])

    def _durations(self, at: Path_, value: Any) -> None:
        if not isinstance(value, dict):
            self._add(at, "must be a mapping of days to cues")
            return
        for days, cues in value.items():
            self._whole((*at, days), days)
            self._cues((*at, days), cues)

    def _cues(self, at: Path_, value: Any) -> None:
        for place, cue in self._items(at, value):
            if not isinstance(cue, str):
                self._add(place, f"cue {cue!r} is not text; write it in quotes")
            elif not re.search(r"\w", cue):
                self._add(place, "cue without a word")
            elif "*" in cue[:-1]:
                self._add(place, "cue may hold * at its end only")

    def _intents(self, at: Path_, value: Any) -> None:
        for place, item in self._items(at, value):
            keys = self._keys(place, item, INTENT_KEYS)
            self._required(place, item, ("name", "tier", "cues"))
            if "tier" in keys:
                self._known((*place, "tier"), item["tier"], TIERS, "tier")
            if not isinstance(item.get("alone", False) if keys else False, bool):
                self._add((*place, "alone"), "must be true or false")
            if "max_words" in keys:
                self._whole((*place, "max_words"), item["max_words"])
            for key in {"with", "without"} & set(keys):
                for spot, name in self._items((*place, key), item[key]):
                    self._known(spot, name, SIGNALS, "signal")
            if "cues" in keys:
                cues = item["cues"]
                for language in (
                    self._keys((*place, "cues"), cues, ("es", "en"), "language") if isinstance(cues, dict) else ()
                ):
                    self._cues((*place, "cues", language), cues[language])
                if not isinstance(cues, dict):
                    self._cues((*place, "cues"), cues)

    def _required(self, at: Path_, item: Any, names: Iterable[str]) -> None:
        missing = [name for name in names if isinstance(item, dict) and not item.get(name)]
        if missing:
            self._add(at, f"needs {', '.join(missing)}")

    def _rules(self, at: Path_, value: Any) -> None:
        for place, item in self._items(at, value):
            keys = self._keys(place, item, RULE_KEYS)
            self._required(place, item, ("name", "tier"))
            if "tier" in keys:
                self._known((*place, "tier"), item["tier"], (*TIERS, "intent", "score"), "tier")
            if "when" in keys:
                self._when((*place, "when"), item["when"])

    def _floors(self, at: Path_, value: Any) -> None:
        for place, item in self._items(at, value):
            keys = self._keys(place, item, FLOOR_KEYS)
            self._required(place, item, FLOOR_KEYS)
            if "at_least" in keys:
                self._known((*place, "at_least"), item["at_least"], TIERS, "tier")
            if "when" in keys:
                self._when((*place, "when"), item["when"])

    def _when(self, at: Path_, value: Any) -> None:
        for key in self._keys(at, value, FIELDS, "field"):
            place, wanted = (*at, key), value[key]
            if key == "any":
                for spot, item in self._items(place, wanted):
                    self._when(spot, item)
            elif key in NUMBERS:
                self._number(place, wanted)
            elif key in BOOLEANS and not isinstance(wanted, bool):
                self._add(place, "must be true or false")
            elif key in TEXTS and not all(isinstance(one, str) for one in _listed(wanted)):
                self._add(place, "must be a text or a list of texts")

    def _number(self, at: Path_, value: Any) -> None:
        if isinstance(value, int) and not isinstance(value, bool):
            return
        found = COMPARISON.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            self._add(at, "must be a number or a comparison such as '>=3'")
        elif not found[2].isdigit():
            self._known(at, found[2], self._thresholds, "threshold")

    def _score(self, at: Path_, value: Any) -> None:
        keys = self._keys(at, value, SCORE_KEYS)
        self._required(at, value, SCORE_KEYS)
        parts: Mapping[str, Iterable[str]] = {"weights": (*NUMBERS, *BOOLEANS), "at_least": TIERS[1:]}
        for part in keys:
            for key in self._keys((*at, part), value[part], parts[part]):
                if not isinstance(value[part][key], int | float) or isinstance(value[part][key], bool):
                    self._add((*at, part, key), "must be a number")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _key(at: Path_) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in at).removeprefix(".")
