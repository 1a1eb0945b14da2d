"""Dollars on their way to integers."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from costctl.store import Store

STORE = Store.in_memory()


@given(pusd=st.integers(-(10**18) + 1, 10**18 - 1))
@settings(deadline=None)
def test_picodollars_are_the_digits_of_the_dollars(pusd: int) -> None:
    store = STORE
    usd = Decimal(pusd).scaleb(-12)
    for digits in (18, 38):
        told = store.scalar(f"SELECT pusd_of(CAST($usd AS DECIMAL({digits},12)))", {"usd": f"{usd:f}"})
        assert told == pusd
    assert store.scalar("SELECT pusd_of(CAST(NULL AS DECIMAL(18,12)))") is None
