"""A learned router as plain data: the documented formula, the strict file, the same bytes."""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest

from costctl.errors import CostctlError
from costctl.tiers.form import FORM, READ_CHARS, TextReader, form, shapes
from costctl.tiers.learned import (
    COLUMNS,
    Category,
    Linear,
    Router,
    Shapes,
    Threshold,
    column_sql,
    goes_dear,
    read_columns,
    score,
    score_texts,
)
from costctl.tiers.router_file import dump_router, load_router, parse_router

BUCKETS = 64
TEXTS = [
    "Which number is larger: 12 or 3,000?\nA. 12\nB. 3,000",
    "Explica por qué el resultado no cambia, y nunca aumenta, si x = 2.",
    "hola",
    "",
    "A photosynthesis_ question __ about “chlorophyll” (1998); is it true?",
]


def made(seed: int = 1) -> Router:
    draws = np.random.default_rng(seed)

    def some(count: int) -> tuple[float, ...]:
        return tuple(round(one, 4) for one in draws.normal(size=count).tolist())

    linear = Linear(
        FORM,
        some(len(FORM)),
        tuple(abs(one) + 0.1 for one in some(len(FORM))),
        some(len(FORM)),
        some(len(FORM)),
        0.25,
        0.5,
        2.0,
    )
    return Router(
        "text", (linear,), Shapes(tuple(map(abs, some(BUCKETS))), some(BUCKETS), -0.1, 0.2, 0.7),
        (Category("endpoint", 0.5, {"/faq": -1.0, "/leads": 2.0}),), 0.8, -1.5,
        Threshold(0.2, 0.02, 0.9, 0.011, 0.3), "openai/gpt-4o-mini", "openai/gpt-4o", 1500, is_forced=False,
        evidence=({"split": "in fold", "router": "learned", "apgr": 0.6},),
    )  # fmt: skip


def by_formula(router: Router, text: str, endpoint: str | None) -> float:
    """The formula of the module's docstring, in plain Python."""
    one, numbers = router.linear[0], form(text)
    total = one.intercept
    for x, mean, sd, straight, bent in zip(numbers, one.mean, one.sd, one.straight, one.bent):
        u = (x - mean) / sd
        total += straight * min(max(u, -2.5), 2.5) + bent * (min(abs(u), 2.5) - 0.8)
    shaped, counts, found = router.shapes, {}, shapes(text)
    for size in (1, 2, 3):
        for at in range(len(found) - size + 1):
            bucket = crc32(" ".join(found[at : at + size]).encode()) % BUCKETS
            counts[bucket] = counts.get(bucket, 0) + 1
    assert shaped is not None
    values = {bucket: (1 + math.log(count)) * shaped.idf[bucket] for bucket, count in counts.items()}
    length = math.sqrt(sum(value * value for value in values.values()))
    said = shaped.intercept + (sum(shaped.weights[b] * v for b, v in values.items()) / length if length else 0)
    mean_of_members = ((total - one.shift) / one.scale + (said - shaped.shift) / shaped.scale) / 2
    effect = router.categories[0].effects.get(endpoint or "", 0.0)
    return 1 / (1 + math.exp(-(router.intercept + router.slope * mean_of_members + 0.5 * effect)))


def test_scores_equal_the_documented_formula() -> None:
    router, endpoints = made(), ["/faq", "/leads", "/new", None, "/faq"]
    found = score_texts(router, TEXTS, {"endpoint": endpoints})
    wanted = [by_formula(router, text, endpoint) for text, endpoint in zip(TEXTS, endpoints)]
    assert found.tolist() == pytest.approx(wanted, rel=1e-12)
    assert len(set(wanted)) == len(wanted)


def test_a_score_does_not_depend_on_the_texts_beside_it() -> None:
    router = made()
    together = score_texts(router, TEXTS)
    assert [score_texts(router, [text])[0] for text in TEXTS] == together.tolist()


def test_form_counts_what_it_says() -> None:
    found = dict(zip(FORM, form(TEXTS[0])))
    assert found["chars"] == math.log(1 + len(TEXTS[0]))
    assert (found["lines"], found["options"], found["questions"]) == (3, 2, 1)
    assert found["question_words"] == 1  # Which
    assert found["change_words"] == math.log(2)  # larger
    assert found["numbers"] == 6  # 12, 3 and 000, twice
    assert found["tail_digit_ratio"] == 6 / len("A. 12" + "B. 3,000")


def test_only_the_beginning_of_a_long_text_is_read_but_its_length_counts() -> None:
    long = "word " * READ_CHARS
    one, two = form(long), form(long + "12 + 12 = 24")
    assert one[1:] == two[1:]
    assert one[0] < two[0]


def test_both_readings_of_a_text_agree() -> None:
    reader = TextReader(BUCKETS)
    for text in TEXTS:
        numbers, counts = reader.read(text)
        assert numbers == form(text)
        assert sum(counts.values()) == sum(max(len(shapes(text)) - size, 0) for size in range(3))


def test_an_unknown_column_says_nothing() -> None:
    router = replace(
        made(), inputs="columns", shapes=None,
        linear=(Linear(("word_count", "tool_count"), (1.0, 1.0), (1.0, 1.0), (1.0, 5.0), (0.0, 5.0), 0.0),),
    )  # fmt: skip
    columns = {name: np.full(2, np.nan) for name in COLUMNS}
    columns["word_count"] = np.array([1.0, 2.0])
    found = score(router, read_columns(columns, {"endpoint": [None, None]}, 2))
    assert found.tolist() == pytest.approx([1 / (1 + math.exp(1.5)), 1 / (1 + math.exp(0.7))])


def test_every_column_has_its_sql() -> None:
    assert all("ln(1 +" in column_sql(name) for name in COLUMNS)
    assert "text_signals" in column_sql("word_count")


def test_the_threshold_or_the_confidence_decides() -> None:
    gain = np.array([0.1, 0.2, 0.3])
    assert goes_dear(made(), gain).tolist() == [False, True, True]
    assert goes_dear(made(), gain, 0.75).tolist() == [False, False, True]


def test_a_file_gives_the_router_back_and_the_same_bytes() -> None:
    text = dump_router(made())
    again = parse_router(text, "router.json")
    assert dump_router(again) == text
    assert score_texts(again, TEXTS).tolist() == pytest.approx(score_texts(made(), TEXTS).tolist(), rel=1e-4)
    assert again.threshold == made().threshold


def problems(change: Any) -> list[str]:
    body = json.loads(dump_router(made()))
    change(body)
    with pytest.raises(CostctlError) as raised:
        parse_router(json.dumps(body), "router.json")
    assert raised.value.code == "E451"
    return [str(one) for one in raised.value.problems]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda body: body.update(treshold=1), "'treshold': unknown key; did you mean threshold?"),
        (lambda body: body.pop("slope"), "slope: is missing"),
        (lambda body: body.update(slope=-1), "slope: must not be below 0"),
        (lambda body: body.update(slope=True), "slope: must be a number"),
        (lambda body: body.update(inputs="pickle"), "inputs: must be text or columns"),
        (lambda body: body["linear"][0]["sd"].pop(), f"linear[0].sd: must hold {len(FORM)} numbers"),
        (lambda body: body["linear"][0]["sd"].__setitem__(0, 0), "linear[0].sd: must be above 0"),
        (lambda body: body["linear"][0]["features"].__setitem__(0, "charts"), "did you mean chars?"),
        (lambda body: body["shapes"].update(idf=[]), f"shapes.idf: must hold {BUCKETS} numbers, not 0"),
        (lambda body: body["shapes"].update(scale="1"), "shapes.scale: must be a number"),
        (lambda body: body["categories"][0].update(column="user_id"), "categories[0].column: must be one of endpoint"),
        (lambda body: body["threshold"].update(gain_below=2), "threshold.gain_below: must be from 0 to 1"),
        (lambda body: body.update(evidence=[{"a": []}]), "evidence: must be a list of objects"),
        (lambda body: body.update(cheap_model=7), "cheap_model: must be the name of a model"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(change: Any, told: str) -> None:
    assert any(told in one for one in problems(change)), problems(change)


def test_all_problems_are_told_at_once() -> None:
    assert len(problems(lambda body: (body.pop("slope"), body.update(inputs="x"), body.update(label_count=-1)))) >= 3


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{", '{"format": "x"}', '{"a": NaN}', '{"format": "costctl-router", "version": 2}',
        '{"format": "costctl-router", "version": 1, "version": 1}',
    ],
)  # fmt: skip
def test_what_is_no_router_is_refused(text: str) -> None:
    with pytest.raises(CostctlError) as raised:
        parse_router(text, "router.json")
    assert raised.value.code == "E450"


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CostctlError, match="cannot read the learned router"):
        load_router(tmp_path / "none.json")
    (tmp_path / "pickle").write_bytes(b"\x80\x04\x95")
    with pytest.raises(CostctlError, match="not UTF-8"):
        load_router(tmp_path / "pickle")


def test_a_thousand_prompts_a_second() -> None:
    """Of about 500 characters; a tenth of the promised time is allowed for the start."""
    texts = [f"{number} " + "Which of these statements about the rate of change is true? " * 8 for number in range(500)]
    started = time.process_time()
    score_texts(made(), texts)
    assert time.process_time() - started < 0.5
