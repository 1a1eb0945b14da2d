"""Texts as vectors, offline: the weights of an installed package, our own words, or a model of the user's.

- `wordllama` (extra `semantic`): 32,000 token vectors of 256 numbers that lie inside the package. They are
  read from its files, because its own loader looks elsewhere and then asks the network. A text is the sum
  of its tokens: half precision adds up in double precision without rounding, on every machine alike.
- `words`: needs nothing but numpy. Words and pairs of words by their rarity, each with a direction of its own.
- `sentence-transformers:NAME`, `model2vec:NAME`: a model of the user's, imported only when asked for.
- `log`: vectors that the log carries in a column (`reuse/given_vectors`).
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from importlib import import_module, metadata, util
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from costctl.errors import CostctlError
from costctl.reuse.vectors import Int, Real, Vectors, rounded

WORDLLAMA, WORDS, GIVEN = "wordllama", "words", "log"
OUTSIDE = ("sentence-transformers", "model2vec")
CHUNK_TEXTS = 4_096
CHUNK_TOKENS = 16_384
CHUNK_SUMS = 512  # stay in the processor's cache
LONG_TOKENS = 256  # longer texts are summed one by one
WORDS_DIMENSIONS = 256
# How rare a word is, is learned from the first texts of the log: later ones were not known to the cache.
WEIGHED_TEXTS = 10_000
WEIGHT_UNIT = 64  # weights are whole numbers, so that sums are exact
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Embedding:
    """The vectors of some texts, and the name of what made them."""

    name: str
    vectors: Vectors


def embed(texts: Sequence[str], name: str | None = None) -> Embedding:
    """Vectors of the texts by the named embedding; by default the best one that is installed."""
    name = name or default()
    if name == WORDLLAMA:
        vectors = _wordllama(texts)  # which refuses, where it is not installed
        return Embedding(f"{WORDLLAMA} {metadata.version(WORDLLAMA)}", vectors)
    if name == WORDS:
        return Embedding(WORDS, _words(texts))
    package, _, model = name.partition(":")
    if package in OUTSIDE and model:
        return Embedding(name, _outside(package, model, texts))
    known = ", ".join((WORDLLAMA, WORDS, GIVEN, *(f"{one}:NAME" for one in OUTSIDE)))
    raise CostctlError("E340", f"there is no embedding named {name!r}", hint=f"use one of: {known}")


def default() -> str:
    """The name of the embedding that is used where none is asked for."""
    return WORDLLAMA if _wordllama_folder() and util.find_spec("tokenizers") else WORDS


def summed(weights: NDArray[Any], ids: Int, offsets: Int) -> Real:
    """For each text the sum of the rows of `weights` that its ids name; exact in double precision."""
    counts = np.diff(offsets)
    sums = np.zeros((len(counts), weights.shape[1]), dtype=np.float64)
    for text in np.flatnonzero(counts > LONG_TOKENS).tolist():
        for start in range(int(offsets[text]), int(offsets[text + 1]), CHUNK_TOKENS):
            part = ids[start : min(start + CHUNK_TOKENS, int(offsets[text + 1]))]
            sums[text] += weights[part].sum(axis=0, dtype=np.float64)
    # Longest first, so that the texts that have a token at a place are always the first ones of a chunk.
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] <= LONG_TOKENS]
    for start in range(0, len(order), CHUNK_SUMS):
        chosen = order[start : start + CHUNK_SUMS]
        held, first = counts[chosen], offsets[:-1][chosen]
        total = np.zeros((len(chosen), weights.shape[1]), dtype=np.float64)
        for place in range(int(held[0])):
            some = int(np.searchsorted(-held, -place, side="left"))
            total[:some] += weights[ids[first[:some] + place]]
        sums[chosen] = total
    return sums


def _in_chunks(texts: Sequence[str], dimensions: int, make: Callable[[Sequence[str]], Real]) -> Vectors:
    vectors = np.zeros((len(texts), dimensions), dtype=np.int8)
    for start in range(0, len(texts), CHUNK_TEXTS):
        vectors[start : start + CHUNK_TEXTS] = rounded(make(texts[start : start + CHUNK_TEXTS]))
    return vectors


def _csr(rows: Iterable[Sequence[int]]) -> tuple[Int, Int]:
    """Lists of ids as one array, and where each begins."""
    listed = list(rows)
    offsets = np.concatenate(([0], np.cumsum([len(row) for row in listed], dtype=np.int64)))
    ids = np.fromiter((one for row in listed for one in row), dtype=np.int64, count=int(offsets[-1]))
    return ids, offsets.astype(np.int64)


def _wordllama(texts: Sequence[str]) -> Vectors:
    tokenizer, weights = _wordllama_parts()

    def make(part: Sequence[str]) -> Real:
        encoded = tokenizer.encode_batch_fast(list(part), add_special_tokens=False)
        return summed(weights, *_csr(one.ids for one in encoded))

    return _in_chunks(texts, weights.shape[1], make)


def _wordllama_folder() -> Path | None:
    found = util.find_spec(WORDLLAMA)
    folder = Path(found.origin).parent if found is not None and found.origin else None
    return folder if folder is not None and (folder / "weights").is_dir() else None


@lru_cache(maxsize=1)
def _wordllama_parts() -> tuple[Any, NDArray[np.float32]]:
    folder = _wordllama_folder()
    if folder is None or not util.find_spec("tokenizers"):
        raise CostctlError(
            "E341", f"the embedding {WORDLLAMA!r} is not installed", hint="pip install 'costctl[semantic]'"
        )
    tokenizer = import_module("tokenizers").Tokenizer.from_file(
        str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json")
    )
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer, _read_weights(folder / "weights" / "l2_supercat_256.safetensors")


def _read_weights(path: Path) -> NDArray[np.float32]:
    """The one half precision matrix of a safetensors file: eight bytes of length, a JSON header, the numbers."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    head = json.loads(content[8 : 8 + length])["embedding.weight"]
    assert head["dtype"] == "F16", head["dtype"]
    start, stop = head["data_offsets"]
    numbers = np.frombuffer(content[8 + length + start : 8 + length + stop], dtype="<f2")
    return numbers.reshape(head["shape"]).astype(np.float32)


def _words(texts: Sequence[str]) -> Vectors:
    """Words and pairs of neighbouring words, each once in a text, by rarity times a direction of its own."""
    numbers: dict[str, int] = {}
    terms = [[numbers.setdefault(term, len(numbers)) for term in _terms(text)] for text in texts]
    ids, offsets = _csr(terms)
    weighed = ids[: offsets[min(WEIGHED_TEXTS, len(texts))]]
    counts = np.bincount(weighed, minlength=len(numbers))
    rarity = np.log((1 + min(WEIGHED_TEXTS, len(texts))) / (1 + counts)) + 1
    weight = np.rint(rarity * WEIGHT_UNIT)
    directions = np.frombuffer(
        b"".join(
            blake2b(term.encode("utf-8", "surrogatepass"), digest_size=WORDS_DIMENSIONS // 8).digest()
            for term in numbers
        ),
        dtype=np.uint8,
    ).reshape(-1, WORDS_DIMENSIONS // 8)
    vectors = np.zeros((len(texts), WORDS_DIMENSIONS), dtype=np.int8)
    for start in range(0, len(texts), CHUNK_TEXTS):
        bounds = offsets[start : start + CHUNK_TEXTS + 1]
        used, places = np.unique(ids[bounds[0] : bounds[-1]], return_inverse=True)
        signs = np.unpackbits(directions[used], axis=1).astype(np.float32) * 2 - 1
        sums = summed(signs * weight[used, None].astype(np.float32), places, bounds - bounds[0])
        vectors[start : start + CHUNK_TEXTS] = rounded(sums)
    return vectors


def _terms(text: str) -> Iterable[str]:
    """The distinct words and pairs of words of a text, folded: no accents, no capitals."""
    folded = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(letter for letter in folded if not unicodedata.combining(letter)) if not text.isascii() else folded
    words = _WORD.findall(plain)
    return dict.fromkeys([*words, *(f"{one} {two}" for one, two in pairwise(words))])


def _outside(package: str, model: str, texts: Sequence[str]) -> Vectors:
    """Vectors of a model of the user's; same bytes again only where that model gives the same numbers again."""
    module = package.replace("-", "_")
    if not util.find_spec(module):
        raise CostctlError("E341", f"the package {package!r} is not installed", hint=f"pip install {package}")
    found = import_module(module)
    if package == "model2vec":
        encoder = found.StaticModel.from_pretrained(model)
        return rounded(encoder.encode(list(texts)))
    return rounded(found.SentenceTransformer(model, device="cpu").encode(list(texts), show_progress_bar=False))
