"""Models that are priced in one statement cost what each costs alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from costctl.audit.options import AuditOptions
from costctl.audit.run import audited_store
from costctl.prices.book import load_book
from costctl.replay import candidates
from costctl.replay.calls import load_calls
from costctl.replay.ratios import Assumed

LOG = Path(__file__).parents[2] / "sample_logs" / "openai_chat.jsonl"
MODELS = ("gpt-4o-mini", "claude-haiku-4-5", "gpt-4o", "gemini-2.5-pro")


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_groups_of_any_size_price_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """Their columns and the prices of their input, byte by byte."""
    book, assumed, days = load_book(), Assumed({}, {}), candidates.PriceDays()
    with audited_store([str(LOG)], AuditOptions(db=tmp_path / "c.duckdb")) as (store, _):
        calls = load_calls(store)
        together = candidates.price_models(store, book, calls, MODELS, assumed, days)
        of_input = [candidates.input_prices(store, book, calls, model, days) for model in MODELS]
        monkeypatch.setattr(candidates, "ROWS_AT_ONCE", at_once * calls.count)
        grouped = candidates.price_models(store, book, calls, MODELS, assumed, days)
        of_input_grouped = [candidates.input_prices(store, book, calls, model, days) for model in MODELS]
    assert len({one.cost_pusd.tobytes() for one in together}) == len(MODELS)
    for one, other in zip(together, grouped, strict=True):
        assert one.model == other.model
        for name in ("cost_pusd", "input_tokens", "output_tokens", "output_price_pusd", "is_logged", "is_known"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name
    for prices, others in zip(of_input, of_input_grouped, strict=True):
        assert all(np.array_equal(one, other) for one, other in zip(prices, others, strict=True))
        assert (prices.fresh > prices.read).any()
