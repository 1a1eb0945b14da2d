"""A learned router as one JSON file: numbers and names only, nothing that runs, the same bytes for the same router."""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from typing import Any

from costctl.errors import CostctlError, Problem
from costctl.strict_json import strict_json
from costctl.tiers.form import FORM
from costctl.tiers.learned import CATEGORIES, COLUMNS, Category, Linear, Router, Shapes, Threshold

FORMAT, VERSION = "costctl-router", 1
LARGEST_BYTES = 16 * 2**20
BUCKETS_MAX = 2**16
PROBLEMS_TOLD = 100
DIGITS = 6
HINT = "train it: costctl train-router --scores FILE -o router.json"

_KEYS = {
    "": (
        "format", "version", "inputs", "cheap_model", "dear_model", "label_count", "is_forced", "linear", "shapes",
        "categories", "slope", "intercept", "threshold", "evidence",
    ),
    "linear": ("features", "mean", "sd", "straight", "bent", "intercept", "shift", "scale"),
    "shapes": ("idf", "weights", "intercept", "shift", "scale"),
    "categories": ("column", "slope", "effects"),
    "threshold": ("gain_below", "loss_bound_ratio", "confidence_ratio", "loss_ratio", "cheap_ratio"),
}  # fmt: skip


def rounded(value: float) -> float:
    """The number as the file holds it: six digits, so that the last bits of a machine do not show."""
    return float(f"{value:.{DIGITS}g}")


def dump_router(router: Router) -> str:
    """The text of the file; `parse_router` gives the router back."""
    body = {
        "format": FORMAT, "version": VERSION, "inputs": router.inputs, "cheap_model": router.cheap_model,
        "dear_model": router.dear_model, "label_count": router.label_count, "is_forced": router.is_forced,
        "slope": router.slope, "intercept": router.intercept, "threshold": vars(router.threshold),
        "categories": [
            {"column": one.column, "slope": one.slope, "effects": dict(sorted(one.effects.items()))}
            for one in router.categories
        ],
        "evidence": [dict(row) for row in router.evidence],
        "linear": [vars(one) for one in router.linear],
        "shapes": None if router.shapes is None else vars(router.shapes),
    }  # fmt: skip
    return json.dumps(_rounded(body), ensure_ascii=False, separators=(",", ":")) + "\n"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return rounded(value)
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list | tuple) else value


def load_router(path: Path) -> Router:
    """The router of a file.

    Raises:
        CostctlError: E450 where it cannot be read, E451 with everything that is wrong with it.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    if len(raw) > LARGEST_BYTES:
        raise _unreadable(path, f"it is larger than {LARGEST_BYTES // 2**20} MiB")
    try:
        return parse_router(raw.decode("utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise _unreadable(path, "it is not UTF-8 text") from error


def _unreadable(path: Path | str, reason: str) -> CostctlError:
    return CostctlError("E450", f"cannot read the learned router: {path}: {reason}", HINT)


def parse_router(text: str, name: str) -> Router:
    """The router of a text; `name` stands for the file in problems.

    Raises:
        CostctlError: E450, E451 as in `load_router`.
    """
    try:
        body = strict_json(text)
    except ValueError as error:
        raise _unreadable(name, f"not JSON: {error}") from error
    if not isinstance(body, dict) or body.get("format") != FORMAT:
        raise _unreadable(name, f"no learned router: it does not say format {FORMAT}")
    if type(body.get("version")) is not int or body["version"] != VERSION:
        raise _unreadable(name, f"its version is {body.get('version')!r:.20}, this costctl reads version {VERSION}")
    reader = _Reader(name)
    router = reader.router(body)
    if reader.problems:
        more = f" (and {len(reader.problems) - 1:,} more)" if len(reader.problems) > 1 else ""
        raise CostctlError("E451", f"{reader.problems[0]}{more}", HINT, problems=tuple(reader.problems[:PROBLEMS_TOLD]))
    return router


class _Reader:
    """Takes the body apart; what is wrong goes to `problems`, and a harmless value stands in its place."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.problems: list[Problem] = []

    def router(self, body: Mapping[str, Any]) -> Router:
        self._keys("", body, "")
        inputs = body.get("inputs")
        if inputs not in {"text", "columns"}:
            self._add("inputs", "must be text or columns")
        known = FORM if inputs == "text" else COLUMNS
        linear = tuple(
            self._linear(f"linear[{at}]", one, known) for at, one in enumerate(self._list("linear", body.get("linear")))
        )
        shapes = None if body.get("shapes") is None else self._shapes(body["shapes"])
        if shapes is not None and inputs != "text":
            self._add("shapes", "need inputs: text")
        categories = tuple(
            self._category(f"categories[{at}]", one)
            for at, one in enumerate(self._list("categories", body.get("categories")))
        )
        slope = self._number("slope", body.get("slope"))
        if slope < 0:
            self._add("slope", "must not be below 0: more score would be less gain")
        is_forced = body.get("is_forced")
        if not isinstance(is_forced, bool):
            self._add("is_forced", "must be true or false")
        count = body.get("label_count")
        if type(count) is not int or count < 0:
            self._add("label_count", "must be a whole number of 0 or more")
        return Router(
            str(inputs), linear, shapes, categories, slope, self._number("intercept", body.get("intercept")),
            self._threshold(body.get("threshold")), self._model("cheap_model", body.get("cheap_model")),
            self._model("dear_model", body.get("dear_model")), count if isinstance(count, int) else 0,
            bool(is_forced), self._evidence(body.get("evidence")),
        )  # fmt: skip

    def _linear(self, at: str, value: Any, known: tuple[str, ...]) -> Linear:
        part = self._part(at, value, "linear")
        names = self._list(f"{at}.features", part.get("features"))
        for name in names:
            if not isinstance(name, str) or name not in known:
                near = get_close_matches(str(name), known, n=1)
                self._add(f"{at}.features", "unknown feature" + (f"; did you mean {near[0]}?" if near else ""))
        if len(set(map(str, names))) < len(names):
            self._add(f"{at}.features", "a feature stands twice")
        mean, sd, straight, bent = (
            self._numbers(f"{at}.{key}", part.get(key), len(names)) for key in ("mean", "sd", "straight", "bent")
        )
        if any(one <= 0 for one in sd):
            self._add(f"{at}.sd", "must be above 0")
        return Linear(tuple(map(str, names)), mean, sd, straight, bent, *self._scaled(at, part))

    def _shapes(self, value: Any) -> Shapes:
        part = self._part("shapes", value, "shapes")
        weights = part.get("weights")
        size = len(weights) if isinstance(weights, list) else 0
        if not 1 <= size <= BUCKETS_MAX:
            self._add("shapes.weights", f"must be a list of 1 to {BUCKETS_MAX:,} numbers")
        idf = self._numbers("shapes.idf", part.get("idf"), size)
        return Shapes(idf, self._numbers("shapes.weights", weights, size), *self._scaled("shapes", part))

    def _scaled(self, at: str, part: Mapping[str, Any]) -> tuple[float, float, float]:
        intercept, shift, scale = (
            self._number(f"{at}.{key}", part.get(key)) for key in ("intercept", "shift", "scale")
        )
        if scale <= 0:
            self._add(f"{at}.scale", "must be above 0")
        return intercept, shift, scale

    def _category(self, at: str, value: Any) -> Category:
        part = self._part(at, value, "categories")
        column, effects = part.get("column"), part.get("effects")
        if column not in CATEGORIES:
            self._add(f"{at}.column", f"must be one of {', '.join(CATEGORIES)}")
        if not isinstance(effects, dict):
            self._add(f"{at}.effects", "must be an object")
            effects = {}
        found = {name: self._number(f"{at}.effects", one) for name, one in effects.items()}
        return Category(str(column), self._number(f"{at}.slope", part.get("slope")), found)

    def _threshold(self, value: Any) -> Threshold:
        part = self._part("threshold", value, "threshold")
        ratios = {
            key: self._number(f"threshold.{key}", part.get(key))
            for key in _KEYS["threshold"]
            if key != "loss_bound_ratio" or part.get(key) is not None
        }
        for key, ratio in ratios.items():
            if not 0 <= ratio <= 1:
                self._add(f"threshold.{key}", "must be from 0 to 1")
        return Threshold(
            ratios["gain_below"], ratios.get("loss_bound_ratio"), ratios["confidence_ratio"], ratios["loss_ratio"],
            ratios["cheap_ratio"],
        )  # fmt: skip

    def _evidence(self, value: Any) -> tuple[Mapping[str, Any], ...]:
        rows = self._list("evidence", value)
        for row in rows:
            if not isinstance(row, dict) or not all(
                one is None or isinstance(one, str | int | float) for one in row.values()
            ):
                self._add("evidence", "must be a list of objects of texts and numbers")
                return ()
        return tuple(rows)

    def _model(self, at: str, value: Any) -> str | None:
        if value is not None and (not isinstance(value, str) or not value):
            self._add(at, "must be the name of a model, or null")
            return None
        return value

    def _part(self, at: str, value: Any, kind: str) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            self._add(at, "must be an object")
            return {}
        self._keys(at, value, kind)
        return value

    def _keys(self, at: str, part: Mapping[str, Any], kind: str) -> None:
        known = _KEYS[kind]
        for name in part:
            if name not in known:
                near = get_close_matches(name, known, n=1)
                self._add(
                    f"{at}.{name!r:.40}".strip("."), "unknown key" + (f"; did you mean {near[0]}?" if near else "")
                )
        for name in known:
            if name not in part:
                self._add(f"{at}.{name}".strip("."), "is missing")

    def _list(self, at: str, value: Any) -> list[Any]:
        if isinstance(value, list):
            return value
        self._add(at, "must be a list")
        return []

    def _numbers(self, at: str, value: Any, size: int) -> tuple[float, ...]:
        found = self._list(at, value)
        if len(found) != size:
            self._add(at, f"must hold {size:,} numbers, not {len(found):,}")
        return tuple(self._number(at, one) for one in found)

    def _number(self, at: str, value: Any) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12 and isfinite(value):
            return float(value)
        self._add(at, "must be a number")
        return 1.0

    def _add(self, at: str, message: str) -> None:
        self.problems.append(Problem(self._name, None, None, at, message))
