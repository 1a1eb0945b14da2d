"""Labels for a learned router: requests with how good the answer of a cheaper and of a dearer model was.

Two ways: a labelled file that carries the text of each prompt, or scores (`--scores`) joined by request id to
what the workspace knows of the log, which holds no text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from typing import NamedTuple

import numpy as np

from costctl.errors import CostctlError, ExitCode
from costctl.evaluate.fit import Sample
from costctl.prices.book import PriceBook
from costctl.prices.quote import price_list
from costctl.replay.scores_file import Scores
from costctl.report import counted
from costctl.store import Store
from costctl.tiers.learned import CATEGORIES, COLUMNS, column_sql, read_columns


class Pair(NamedTuple):
    """The two models, as prices know them; None where a labelled file does not name them."""

    cheap: str | None
    dear: str | None


@dataclass(frozen=True)
class Labels:
    """A sample, and what it takes to judge by it: texts for the baselines, groups that may be unseen."""

    sample: Sample
    texts: tuple[str, ...] | None
    groups: tuple[str, ...] | None
    pair: Pair
    left_out: tuple[tuple[str, int], ...] = ()  # reason and lines


class AnyName(tuple[str, ...]):
    """Holds every name: labels of tiers are nothing to train by, so any will do."""

    __slots__ = ()

    def __contains__(self, name: object) -> bool:
        return True


def pair_of(scores: Scores, book: PriceBook, cheap: str | None, dear: str | None) -> Pair:
    """Which two models of the scores are meant: those named, else the only two by their list price.

    Raises:
        CostctlError: E457 where that does not name two models that the file scores.
    """
    known = sorted({one.price_key for one in scores.lines if one.price_key is not None and one.score is not None})
    named = [None if name is None else book.resolve(name).model_key or name for name in (cheap, dear)]
    for name in named:
        if name is not None and name not in known:
            near = get_close_matches(name, known, n=1, cutoff=0.5)
            raise _unclear(f"no score of {name} in {scores.file}{f'; did you mean {near[0]}?' if near else ''}", known)
    if named[0] is not None and named[1] is not None:
        if named[0] == named[1]:
            raise _unclear("the cheaper and the dearer model are the same", known)
        return Pair(named[0], named[1])
    if len(known) != 2:
        raise _unclear(f"{scores.file} scores {len(known)} models", known)
    if any(named):
        other = next(name for name in known if name not in named)
        return Pair(named[0] or other, named[1] or other)
    first, second = (_price(name, book) for name in known)
    if first is None or second is None or first == second:
        raise _unclear("the list prices of the two models do not tell which is cheaper", known)
    return Pair(known[0], known[1]) if first < second else Pair(known[1], known[0])


def named_pair(book: PriceBook, cheap: str | None, dear: str | None) -> Pair:
    """The models that the command names for prompts with both scores, where no file says whose these are.

    Raises:
        CostctlError: E457 for a name that prices do not know, and for one model twice.
    """
    for option, name in (("--cheap", cheap), ("--dear", dear)):
        if name is not None and book.resolve(name).model_key is None:
            near = book.near(name)
            hint = f"did you mean {', '.join(near)}?" if near else "costctl models lists the names"
            raise CostctlError(
                "E457", f"{option} {name}: no such model is known", f"{hint} Others take a price: --prices own.yaml"
                if near else f"{hint}; others take a price: --prices own.yaml",
            )  # fmt: skip
    if cheap is not None and dear is not None and book.resolve(cheap).model_key == book.resolve(dear).model_key:
        raise _unclear("the cheaper and the dearer model are the same", [])
    return Pair(cheap, dear)


def _price(model: str, book: PriceBook) -> Decimal | None:
    quote = price_list("list", None, "standard", book).quote(model, 0)
    return None if quote.input is None or quote.output is None else quote.input + quote.output


def _unclear(message: str, known: Sequence[str]) -> CostctlError:
    hint = f"name them: --cheap MODEL --dear MODEL; scored: {', '.join(known[:8]) or 'none'}"
    return CostctlError("E457", f"two models are needed, a cheaper and a dearer one: {message}", hint)


def labels_of_log(store: Store, scores: Scores, pair: Pair, group: str | None) -> Labels:
    """The requests of the log audited last that have a score of both models, with what the log says of them.

    Raises:
        CostctlError: E458 where the group is no column that a router may know, E455 without such requests.
    """
    if group is not None and group not in CATEGORIES:
        raise CostctlError("E458", f"--group {group}: no such group", f"one of {', '.join(CATEGORIES)}")
    by_request: dict[str, dict[str, float]] = {}
    for one in scores.lines:
        if one.score is not None and one.price_key is not None and one.price_key in pair:
            by_request.setdefault(one.request_id, {})[one.price_key] = one.score
    whole = sorted(name for name, found in by_request.items() if len(found) == 2)
    if not whole:
        raise CostctlError(
            "E455", f"no request of {scores.file} has a score of both {pair.cheap} and {pair.dear}",
            "score both models on the same requests", ExitCode.INPUT,
        )  # fmt: skip
    store.append("labelled", {"request_id": np.array(whole, dtype=object)}, new="TEMP TABLE")
    features = ", ".join(f'any_value({column_sql(name)}) AS "{name}"' for name in COLUMNS)
    categories = ", ".join(f"any_value(CAST({name} AS VARCHAR)) AS {name}" for name in CATEGORIES)
    rows = store.query(
        f"SELECT request_id, {categories} FROM request JOIN labelled USING (request_id) "
        "GROUP BY request_id HAVING count(*) = 1 ORDER BY request_id"
    )
    found = store.numpy(
        f"SELECT request_id, {features} FROM request JOIN labelled USING (request_id) "
        "GROUP BY request_id HAVING count(*) = 1 ORDER BY request_id"
    )
    if not rows:
        raise CostctlError(
            "E455", f"none of the {counted(len(whole), 'request id')} of {scores.file} with both scores is in the log, "
            "each as that of one attempt", "give the log of these scores; its ids: costctl sql 'FROM request'",
            ExitCode.INPUT,
        )  # fmt: skip
    ids = [str(row[0]) for row in rows]
    values = {
        name: tuple(None if row[at] is None else str(row[at]) for row in rows) for at, name in enumerate(CATEGORIES, 1)
    }
    known = {name: column for name, column in values.items() if any(one is not None for one in column)}
    columns = {name: np.asarray(np.ma.filled(found[name], np.nan), dtype=np.float64) for name in COLUMNS}
    cheap, dear = (np.array([by_request[name][str(model)] for name in ids]) for model in pair)
    chosen = group or next((name for name in ("endpoint", "app") if name in known), None)
    return Labels(
        Sample("columns", read_columns(columns, known, len(ids)), cheap, dear), None,
        None if chosen is None else tuple(one or "" for one in values[chosen]), pair,
        (
            ("request with a score of one model only", len(by_request) - len(whole)),
            ("unknown request id, or that of several attempts", len(whole) - len(ids)),
            ("line with a model and no score", scores.untried),
        ),
    )  # fmt: skip
