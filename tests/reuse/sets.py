"""The real sets on which a semantic cache is judged: texts and what would be the same answer."""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple

import numpy as np

from costctl.reuse.embed import embed
from costctl.reuse.guards import guard_codes, plain
from costctl.reuse.neighbours import Graph, Visits, neighbours
from costctl.reuse.semantic_cache import Requests, SemanticPolicy, Served
from tests.support import SHARED

DATA = SHARED / "data"
FOREVER = ((None, 2**60),)
# Words of a slot that say nothing: "para hoy" and "de hoy" are the same day.
SMALL_WORDS = frozenset(
    "para de a al del la las el los en por que mi mis tu un una y lo este esta mismo misma durante con "
    "for of to at in on the my a an this".split()
)


class Labelled(NamedTuple):
    """Texts with the answer that each would get: by intent alone, and with everything the intent needs."""

    texts: list[str]
    intent: list[Hashable]
    strict: list[Hashable]


class Stream(NamedTuple):
    """A set as a log: one request after the other, and the graph of its prompts."""

    graph: Graph
    requests: Requests
    intent: np.ndarray
    strict: np.ndarray


def lines(path: str) -> list[dict[str, Any]]:
    """The rows of a shared file of JSON lines."""
    with gzip.open(DATA / path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def table(path: str) -> list[dict[str, str]]:
    """The rows of a shared CSV file."""
    with gzip.open(DATA / path, "rt", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def clinc150() -> Labelled:
    """English; what is out of scope is an answer of its own each time."""
    rows = lines("clinc150/clinc150_train_val.jsonl.gz")
    intents = [row["intent"] if row["intent"] != "oos" else number for number, row in enumerate(rows)]
    return Labelled([row["text"] for row in rows], intents, intents)


def banking77() -> Labelled:
    """English; intents that differ by a word."""
    rows = table("banking77/banking77_train.csv.gz")
    intents = [row["category"] for row in rows]
    return Labelled([row["text"] for row in rows], intents, intents)


def bitext_support() -> Labelled:
    """English; the same question about another order is another answer."""
    rows = table("bitext_support/bitext_intents.csv.gz")
    strict = [(row["intent"], row["entity_type"], row["entity_value"]) for row in rows]
    return Labelled([row["utterance"] for row in rows], [row["intent"] for row in rows], strict)


def sgd_travel() -> Labelled:
    """English; the first turn of each dialogue."""
    rows = [row for row in lines("sgd_travel/sgd_travel_user_turns.jsonl.gz") if row["turn"] == 0]
    intents = [tuple(row["intents"]) for row in rows]
    strict = [(one, tuple(sorted(row["slots"].items()))) for one, row in zip(intents, rows, strict=True)]
    return Labelled([row["text"] for row in rows], intents, strict)


def spanish_mtod(*, is_as_annotated: bool = False) -> Labelled:
    """Spanish; alarms, reminders and weather, with their slots."""
    rows = lines("spanish_mtod/mtod_es_train_eval.jsonl.gz")
    strict = [(row["intent"], _slots(row, is_as_annotated=is_as_annotated)) for row in rows]
    return Labelled([row["text"] for row in rows], [row["intent"] for row in rows], strict)


def _slots(row: dict[str, Any], *, is_as_annotated: bool) -> tuple[Any, ...]:
    found = []
    for start, stop, label in (slot.split(":") for slot in row["slots"].split(",") if slot):
        value = plain(row["text"][int(start) : int(stop)])
        if is_as_annotated:
            found.append((label, " ".join(re.findall(r"\w+", value))))
        elif not label.endswith("noun"):  # "recordatorios", "todos los recordatorios": the intent says it
            words = re.findall(r"\d+|[^\W\d_]+", value)
            kept = [word.lstrip("0") for word in words if word not in SMALL_WORDS and word != "00"]
            found.append((label, " ".join(sorted(word.rstrip("s") for word in kept))))
    return tuple(sorted(found))


SETS = {
    "clinc150": clinc150, "banking77": banking77, "bitext_support": bitext_support, "sgd_travel": sgd_travel,
    "spanish_mtod": spanish_mtod,
}  # fmt: skip


def stream(rows: Labelled, name: str, count: int, seed: int = 0, lowest_ppb: int = 800_000_000) -> Stream:
    """The first `count` rows in random order; prompts that differ in case and marks alone are one prompt."""
    order = np.random.default_rng(seed).permutation(len(rows.texts))[:count]
    prompts: dict[str, int] = {}
    texts = []
    node = np.empty(len(order), dtype=np.int64)
    for place, row in enumerate(order.tolist()):
        key = " ".join(re.findall(r"\w+", rows.texts[row].casefold()))
        if key not in prompts:
            prompts[key] = len(texts)
            texts.append(rows.texts[row])
        node[place] = prompts[key]
    graph = neighbours(embed(texts, name).vectors, lowest_ppb)
    visits = Visits(node, np.arange(len(node), dtype=np.int64) * 1_000_000)
    requests = Requests(visits, np.ones(len(node), dtype=np.bool_), guard_codes(texts))
    return Stream(graph, requests, _codes(rows.intent, order), _codes(rows.strict, order))


def _codes(labels: list[Hashable], order: Iterable[int]) -> np.ndarray:
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(labels[row], len(known)) for row in order], dtype=np.int64)


def policy(serve_min_ppb: int, *, is_guarded: bool) -> SemanticPolicy:
    """A cache that keeps everything for ever."""
    return SemanticPolicy(serve_min_ppb, FOREVER, is_guarded=is_guarded)


def near_hits(served: Served) -> tuple[np.ndarray, np.ndarray]:
    """The hits on another prompt; a repeat is the exact cache's."""
    return served.pairs(is_own_prompt=False)
