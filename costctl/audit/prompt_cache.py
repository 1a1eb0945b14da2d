"""Missed prompt caching: input that was billed in full although the provider's cache would have read it.

What a request would have read and written is predicted by the kernel that the replay uses, with
caching switched on; the request is then priced again with these tokens. A prediction of reads is
off by up to 5 points of the input, so only what shows no cached token at all is claimed: of a
provider that caches by itself a whole model; of one that must be asked, a session (or, where
blocks are the evidence, a whole model), as no cached token there means that nobody asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from costctl.audit import pages
from costctl.money import usd_display
from costctl.prices.book import PriceBook
from costctl.prices.cost import priced_query
from costctl.report import counted
from costctl.reuse.blocks import Blocks, read_blocks
from costctl.reuse.provider_cache import CacheTerms, cache_terms, predict, predict_from_blocks, term_columns
from costctl.store import Store

Int = NDArray[np.int64]
Bool = NDArray[np.bool_]
IS_CACHED = (
    "coalesce(r.cache_read_tokens, 0) + coalesce(r.cache_write_5m_tokens, 0) + coalesce(r.cache_write_1h_tokens, 0)"
    " + coalesce(r.cache_write_other_tokens, 0) > 0"
)
SAVING = (
    "file_id, source_line, model_code, is_claimable, billed_input_usd, billed_input_tokens, read_tokens, "
    "coalesce(billed_usd - list_cost_usd, 0) AS saving_usd"
)
UNIDENTIFIABLE = "not identifiable: "


class Missed(NamedTuple):
    """What the lever would have saved, None where that cannot be told, and on what it rests.

    `has_requests`: the table `missed_cache` names the requests of the class.
    """

    recoverable_usd: Decimal | None
    note: str
    has_requests: bool = False


class _Model(NamedTuple):
    """A model of the log: how many of its requests say what, and the terms of its cache."""

    price_key: str
    request_count: int
    prefix_count: int  # that name a session or blocks
    placed_count: int  # of these, with a time or an offset
    said_count: int  # that say what was cached
    input_tokens_max: int
    shows_cached: bool

    @property
    def terms(self) -> CacheTerms | None:
        return cache_terms(self.price_key)

    @property
    def may_miss(self) -> bool:
        """Whether any request of it can belong to the class."""
        return bool(
            self.terms
            and self.placed_count
            and self.said_count
            and self.input_tokens_max >= self.terms.minimum_tokens
            and not self.is_spoken_for
        )

    @property
    def is_spoken_for(self) -> bool:
        """A cache that works by itself and did: what it missed is within the error of the prediction."""
        return self.terms is not None and self.terms.is_automatic and self.shows_cached


def missed_caching(
    store: Store, book: PriceBook, is_failed_or_repeated: str, priced_at: datetime | None, as_of: datetime | None
) -> Missed:
    """The requests of the class, in the table `missed_cache`, and what they would have saved."""
    models = [_Model(*row) for row in store.query(pages.page("cache_models.sql", is_cached=IS_CACHED))]
    reason = _why_not(models)
    if reason:
        return Missed(None, UNIDENTIFIABLE + reason)
    wanted = [one for one in models if one.may_miss]
    spoken_for = sum(one.is_spoken_for for one in models)
    blind = sum(one.request_count - one.placed_count for one in models)
    nothing = Missed(Decimal(0), _note("", Decimal(0), spoken_for, blind))
    if not wanted:
        return nothing
    candidates = pages.page("cache_candidate.sql", is_cached=IS_CACHED, is_failed_or_repeated=is_failed_or_repeated)
    store.execute(candidates, {"models": [one.price_key for one in wanted]})
    rests_on = _predicted(store, wanted)
    if not rests_on:
        return nothing
    pages.run(store, "cache_repriced.sql")
    sql, params = priced_query(
        store, source="cache_repriced", book=book, priced_at=priced_at, as_of=as_of, is_loaded=True
    )
    store.execute(f"CREATE OR REPLACE TEMP TABLE cache_saving AS SELECT {SAVING} FROM ({sql})", params)
    pages.run(store, "missed_cache.sql")
    recoverable, read_pusd = store.query(pages.page("missed_cache_sums.sql"))[0]
    if not recoverable:
        return nothing
    return Missed(recoverable, _note(rests_on, Decimal(read_pusd).scaleb(-12), spoken_for, blind), has_requests=True)


def _why_not(models: Sequence[_Model]) -> str:
    """Why nothing can be said of this log; empty where something can."""
    if not models:
        return "no request has a price"
    if not any(one.prefix_count for one in models):
        return "the log names neither sessions nor prefix blocks"
    if not any(one.placed_count for one in models):
        return "no request with a session or prefix blocks has a time"
    with_terms = [one for one in models if one.placed_count and one.terms]
    if not with_terms:
        return "no prompt cache is known of the models whose requests name sessions or prefix blocks"
    if not any(one.said_count for one in with_terms):
        return "the log does not say what was cached"
    return ""


def _note(rests_on: str, read_usd: Decimal, spoken_for: int, blind: int) -> str:
    """How the row is to be read: on what it rests, and what it leaves out."""
    said = []
    if rests_on:
        said.append(f"estimated {rests_on}: {usd_display(read_usd)} of input would have been read; net of writes")
    if spoken_for:
        said.append(f"{counted(spoken_for, 'model')} with cached tokens left out, as a prediction may be 5 points off")
    if blind:
        requests = counted(blind, "request")
        is_not = "is not" if blind == 1 else "are not"
        said.append(f"{requests} without a session or blocks, or without a time, {is_not} judged")
    return "; ".join(said)


def _predicted(store: Store, models: Sequence[_Model]) -> str:
    """Make `cache_predicted`: what each candidate would read and write. Answers on what it rests, or nothing."""
    columns = "rowid AS place, model_code, session_code, time_us, input_tokens, output_tokens, shows_cached"
    fetched = store.numpy(f"SELECT {columns} FROM cache_candidate")
    order = np.argsort(fetched["place"], kind="stable")
    count = len(order)
    assert (fetched["place"][order] == np.arange(count)).all(), "rows are not numbered from 0"
    found: dict[str, Any] = {name: values[order] for name, values in fetched.items()}
    model: Int = np.asarray(found["model_code"], dtype=np.int64)
    terms = [one.terms for one in models]
    blocks, has_blocks = read_blocks(store, "cache_candidate", "rowid", count) or (None, np.zeros(count, np.bool_))
    is_asked = _asked(found, model, has_blocks, [one.shows_cached for one in models])
    read, written = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)

    def put(where: Bool, of: Blocks | None) -> bool:
        rows = np.flatnonzero(where)
        times, tokens = found["time_us"][rows], found["input_tokens"][rows]
        here = term_columns(terms, model[rows])
        if of is None:
            keys, output = found["session_code"][rows], found["output_tokens"][rows]
            read[rows], written[rows] = predict(keys, times, tokens, output, here, is_opted_in=True)
        else:
            read[rows], written[rows] = predict_from_blocks(
                model[rows], times, tokens, of.only(where), here, is_opted_in=True
            )
        return bool(read[rows].any())

    rests_on = []
    if put(~is_asked & ~has_blocks, None):
        rests_on.append("from sessions, each request repeating the one before")
    if blocks is not None and put(~is_asked & has_blocks, blocks):
        rests_on.append("from prefix blocks")
    # Of a model that would read nothing, what it would write does not matter.
    can_read = np.zeros(len(models), dtype=np.bool_)
    can_read[model[read > 0]] = True
    rows = np.flatnonzero(((read > 0) | (written > 0)) & can_read[model])
    store.append(
        "cache_predicted", {"place": rows, "read_tokens": read[rows], "written_tokens": written[rows]}, new="TEMP TABLE"
    )
    return " and ".join(rests_on)


def _asked(found: dict[str, Any], model: Int, has_blocks: Bool, shows_cached: Sequence[bool]) -> Bool:
    """Which candidates have asked for caching already: a request of their session, or of their model, shows it."""
    sessions = found["session_code"]
    by_session = np.isin(sessions, np.unique(sessions[np.asarray(found["shows_cached"], dtype=np.bool_)]))
    by_model: Bool = np.array(shows_cached, dtype=np.bool_)[model]
    return np.where(has_blocks, by_model, by_session & (sessions >= 0))
