"""Hard questions in two languages, and support messages that are mostly simple."""

from __future__ import annotations

import csv
import gzip
import json

import pytest

from tests.tiers.deciding import SHARED, decided, shipped

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="the real data sets are not here"),
]


def _lines(name):
    with gzip.open(SHARED / "data" / name, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _share(texts):
    tiers = decided(texts)["tier"]
    return {tier: (tiers == tier).sum() / len(texts) for tier in "ABC"}


def test_hard_questions_are_not_simple_and_equal_in_both_languages():
    rows = _lines("mgsm_en_es/mgsm_en_es.jsonl.gz")
    english = _share([row["question_en"] for row in rows])
    spanish = _share([row["question_es"] for row in rows])
    assert english["A"] <= 0.05
    assert spanish["A"] <= 0.05
    assert all(abs(english[tier] - spanish[tier]) <= 0.03 for tier in "ABC")
    assert english["C"] > 0.95


def test_a_question_gets_the_same_tier_in_both_languages():
    rows = _lines("xquad_en_es/xquad_en_es.jsonl.gz")
    english = decided([row["question_en"] for row in rows])["tier"]
    spanish = decided([row["question_es"] for row in rows])["tier"]
    assert (english == spanish).mean() > 0.8


def test_languages_are_told_apart():
    spanish = shipped().features(_texts("spanish_mtod/mtod_es_train_eval.jsonl.gz"))["language"]
    assert (spanish == "es").mean() > 0.95


def _texts(name):
    import polars as pl

    return pl.Series("text", [row["text"] for row in _lines(name)])


def test_support_messages_are_mostly_simple():
    with gzip.open(SHARED / "data/banking77/banking77_train.csv.gz", "rt", encoding="utf-8") as file:
        share = _share([row["text"] for row in csv.DictReader(file)])
    assert share["A"] > 0.6
    assert share["C"] < 0.05
