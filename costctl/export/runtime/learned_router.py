"""The learned router on one request; the twin of `costctl.tiers.learned` without arrays."""

from __future__ import annotations

from math import exp, log, sqrt
from typing import Any

from costctl.tiers.form import FORM, TextReader

_CLIP, _BEND = 2.5, 0.8


class LearnedRouter:
    """Says how likely the dearer of two models gains."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data
        self._shapes: dict[str, Any] | None = data["shapes"]
        self._reader = TextReader(len(self._shapes["idf"]) if self._shapes else 0)
        self._columns = {name for one in data["linear"] for name in one["features"]}
        self.fields = {one["column"] for one in data["categories"]}
        if data["inputs"] == "columns":
            self.fields |= self._columns

    def gain(self, text: str | None, known: dict[str, Any]) -> float | None:
        """The chance from 0 to 1; None where the request tells nothing that the router reads."""
        if self._data["inputs"] == "text":
            if not text:
                return None
            numbers, hits = self._reader.read(text)
            features: dict[str, float | None] = dict(zip(FORM, numbers))
        else:
            hits = {}
            features = {name: _logarithm(known.get(name)) for name in self._columns}
            categories = [known.get(one["column"]) for one in self._data["categories"]]
            if all(one is None for one in (*features.values(), *categories)):
                return None
        said = [_standardised(one, _linear(one, features)) for one in self._data["linear"]]
        if self._shapes is not None:
            said.append(_standardised(self._shapes, _shaped(self._shapes, hits)))
        logit = self._data["intercept"] + self._data["slope"] * (sum(said, 0.0) / max(len(said), 1))
        for one in self._data["categories"]:
            logit += one["slope"] * one["effects"].get(known.get(one["column"]), 0.0)
        return 1 / (1 + exp(-min(max(logit, -50.0), 50.0)))

    def is_dear(self, gain: float) -> bool:
        """Whether a request of this gain goes to the dearer model."""
        least: float | None = self._data["min_confidence"]
        return bool(gain >= self._data["gain_below"]) if least is None else 1 - gain < least


def _standardised(member: dict[str, Any], value: float) -> float:
    return float((value - member["shift"]) / member["scale"])


def _logarithm(value: Any) -> float | None:
    return None if value is None else log(1 + float(value))


def _linear(member: dict[str, Any], features: dict[str, float | None]) -> float:
    total: float = member["intercept"]
    for at, name in enumerate(member["features"]):
        value = features[name]
        if value is None:
            continue
        u = (value - member["mean"][at]) / member["sd"][at]
        total += member["straight"][at] * min(max(u, -_CLIP), _CLIP) + member["bent"][at] * (min(abs(u), _CLIP) - _BEND)
    return total


def _shaped(member: dict[str, Any], hits: dict[int, int]) -> float:
    weighted = squares = 0.0
    for bucket, count in hits.items():
        value = (1 + log(count)) * member["idf"][bucket]
        weighted += value * member["weights"][bucket]
        squares += value * value
    return float(member["intercept"] + (weighted / sqrt(squares) if squares > 0 else 0.0))
