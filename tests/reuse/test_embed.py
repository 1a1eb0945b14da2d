"""Vectors of texts: offline, the same bytes every time, and near where texts are near."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from costctl.errors import CostctlError
from costctl.reuse import embed as module
from costctl.reuse.embed import WORDLLAMA, WORDS, default, embed
from costctl.reuse.given_vectors import packed
from costctl.reuse.vectors import rounded, similarity_ppb, squared_norms

TEXTS = (
    "How can I cancel my order?", "how do I cancel the order", "What is the weather in Madrid?",
    "¿Cuánto cuesta el envío?", "cuanto cuesta el envio", "", "!!!", "x" * 5_000,
)  # fmt: skip


def similarity(name: str, one: str, other: str) -> float:
    vectors = embed([one, other], name).vectors
    return similarity_ppb(vectors, squared_norms(vectors), np.array([0]), np.array([1]))[0] / 1e9


def test_words_are_near_by_the_words_they_share() -> None:
    assert similarity(WORDS, TEXTS[3], TEXTS[4]) == 1.0  # no accents, no marks
    assert similarity(WORDS, TEXTS[0], TEXTS[1]) > 0.3 > similarity(WORDS, TEXTS[0], TEXTS[2])


def test_a_text_without_words_is_like_nothing() -> None:
    vectors = embed(TEXTS, WORDS).vectors
    assert not vectors[5:7].any()
    assert vectors[0].any()


def test_words_give_the_same_bytes_on_every_machine() -> None:
    """Pinned: whoever changes the vectors changes every figure that rests on them."""
    found = hashlib.sha256(embed(TEXTS, WORDS).vectors.tobytes()).hexdigest()
    assert found[:16] == "c73580362713598c"


def test_rare_words_weigh_more() -> None:
    """Of two words that a text shares with one each of two others, the rarer makes the nearer one."""
    texts = ["my order", "my parcel", "their order", *(f"my thing {number}" for number in range(50))]
    vectors = embed(texts, WORDS).vectors
    found = similarity_ppb(vectors, squared_norms(vectors), np.array([0, 0]), np.array([1, 2]))
    assert found[1] > found[0]


def test_without_the_package_our_own_words_are_used_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_wordllama_folder", lambda: None)
    assert default() == WORDS
    assert embed(["a word"]).name == WORDS


def test_a_missing_or_unknown_embedding_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CostctlError, match="no embedding named"):
        embed(["a"], "word2vec")
    with pytest.raises(CostctlError, match="not installed"):
        embed(["a"], "model2vec:some/model") if not module.util.find_spec("model2vec") else module._outside(
            "no-such-package", "m", ["a"]
        )


def test_a_model_of_the_users_is_asked_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class StaticModel:
        @classmethod
        def from_pretrained(cls, name: str) -> StaticModel:
            asked.append(name)
            return cls()

        def encode(self, texts: list[str]) -> np.ndarray:
            return np.array([[len(text), 1.0] for text in texts])

    monkeypatch.setitem(sys.modules, "model2vec", SimpleNamespace(StaticModel=StaticModel))
    monkeypatch.setattr(module.util, "find_spec", lambda name: object())
    found = embed(["abcd", ""], "model2vec:house/tiny")
    assert asked == ["house/tiny"]
    assert found.name == "model2vec:house/tiny"
    assert found.vectors.tolist() == [[127, 32], [0, 127]]


def test_vectors_of_the_log_are_rounded_and_must_be_finite() -> None:
    assert packed([0.5, -1.0]) == bytes([64, 256 - 127])
    assert packed([float("nan"), 1.0]) == "holds a number that is not finite"
    assert rounded(np.zeros((0, 5))).shape == (0, 5)


def test_nothing_but_numpy_is_imported() -> None:
    ours = ", ".join(
        f"costctl.reuse.{name}" for name in ("embed", "guards", "neighbours", "semantic_cache", "calibrate")
    )
    heavy = ("tokenizers", "wordllama", "numba", "scipy", "sklearn", "threadpoolctl", "requests")
    code = f"import sys, {ours}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class TestWordllama:
    """The weights inside the package."""

    @pytest.fixture(autouse=True)
    def installed(self) -> None:
        pytest.importorskip("tokenizers")
        if module._wordllama_folder() is None:
            pytest.skip("wordllama is not installed")

    def test_it_is_the_default_and_says_its_version(self) -> None:
        assert default() == WORDLLAMA
        assert embed(["a"]).name.startswith("wordllama 0.")

    def test_it_pools_as_the_package_does(self) -> None:
        """Against the plain sum over the tokens of each text; padding and batches leave no trace."""
        tokenizer, weights = module._wordllama_parts()
        for text, vector in zip(TEXTS, embed(TEXTS, WORDLLAMA).vectors, strict=True):
            ids = tokenizer.encode(text, add_special_tokens=False).ids
            assert (vector == rounded(weights[ids].astype(np.float64).sum(axis=0)[None, :])[0]).all(), text[:20]

    def test_it_gives_the_same_bytes_in_any_company(self) -> None:
        alone = np.concatenate([embed([text], WORDLLAMA).vectors for text in TEXTS])
        many = embed([*TEXTS, *(f"{text} {number}" for number in range(700) for text in TEXTS)], WORDLLAMA).vectors
        assert (many[: len(TEXTS)] == alone).all()
        assert hashlib.sha256(alone.tobytes()).hexdigest()[:16] == "6754061816b901d4"

    def test_paraphrases_are_near_and_other_languages_are_not(self) -> None:
        """Cross-language repeats cannot be matched: a report must say that they are not counted."""
        assert similarity(WORDLLAMA, TEXTS[0], TEXTS[1]) > 0.85
        assert similarity(WORDLLAMA, "¿Cuánto cuesta?", "What's the price?") < 0.5

    def test_no_connection_is_made(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("a connection")

        monkeypatch.setattr("socket.socket.connect", refuse)
        module._wordllama_parts.cache_clear()
        assert embed(["offline"], WORDLLAMA).vectors.any()
