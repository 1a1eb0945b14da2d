"""Signals of a text survive as one packed number, and what is personal is seen."""

from __future__ import annotations

import polars as pl
import pytest

from costctl.store import Store
from costctl.tiers.fields import PACKED, unpacked_sql
from costctl.tiers.rules import load_rules


@pytest.mark.parametrize(
    "text",
    [
        "escríbeme a ana.perez@correo.cl",
        "mi RUT es 12.345.678-5",
        "call me at +56 9 8765 4321",
        "my number is 555-123-4567",
        "llámame al 9 8765 4321",
        "card 4111 1111 1111 1111",
        "IBAN DE89 3704 0044 0532 0130 00",
    ],
)
def test_personal_data_is_seen(text: str) -> None:
    assert load_rules().features(pl.Series([text]))["contains_personal_data"].to_list() == [True]


@pytest.mark.parametrize(
    "text",
    [
        "¿cuánto cuesta la habitación 412?",
        "2 + 2 = 4",
        "from 2026-03-01 to 2026-03-05",
        "it costs $12.345 today",
        "a @ b",
    ],
)
def test_other_numbers_are_not_personal(text: str) -> None:
    assert load_rules().features(pl.Series([text]))["contains_personal_data"].to_list() == [False]


def test_every_signal_comes_back_from_the_packed_number() -> None:
    assert sum(PACKED.values()) <= 63
    texts = [
        "compara Arica, Iquique y Pucón por 9 días, con presupuesto de 500, desayuno y piscina; paga con tarjeta",
        "```def f(x): return x``` 1, 2, 3 a@b.cl",
        "| a | b |\n| c | d |\nA) uno\nB) dos\nDestino: Pucón",
        "hola",
        "word " * 9000,
    ]
    rows = load_rules().features(pl.Series(texts))
    store = Store.in_memory()
    for row in rows.iter_rows(named=True):
        for name, bits in PACKED.items():
            sql = f"SELECT {unpacked_sql(name)} FROM (SELECT {row['text_signals']}::UBIGINT AS text_signals)"
            assert store.scalar(sql) == min(int(row[name] or 0), 2**bits - 1), (name, row)
