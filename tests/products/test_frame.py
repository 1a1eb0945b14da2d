"""The frame of the product tests: the upstream keeps and answers, and what is installed is what is pinned."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from tests.products import installing
from tests.products.__main__ import main
from tests.products.serving import post
from tests.products.upstream import INPUT_TOKENS, running_upstream, vector_of


def test_the_upstream_keeps_whole_requests_and_answers_both_ways() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "timout": 6}
    with running_upstream() as upstream:
        port = int(upstream.url.rpartition(":")[2].partition("/")[0])
        said = post(port, "/v1/chat/completions?x=1", body, {"Authorization": "Bearer k"})
        assert (said.status, said.body["usage"]["prompt_tokens"]) == (200, INPUT_TOKENS)
        streamed = post(port, "/v1/chat/completions", {**body, "stream": True}).body
        assert streamed.endswith("data: [DONE]\n\n")
        assert post(port, "/v1/messages", body).body["content"][0]["text"] == "answer of m"
        assert post(port, "/v1/embeddings", {"model": "e", "input": ["a b", "b a"]}).body["data"][1]["index"] == 1
        assert upstream.seen[0].body == body
        assert (upstream.seen[0].path, upstream.seen[0].headers["authorization"]) == (
            "/v1/chat/completions",
            "Bearer k",
        )
        assert upstream.models() == ["m", "m", "m", "e"]


def test_the_upstream_fails_and_waits_as_told_until_reset() -> None:
    with running_upstream() as upstream:
        port = int(upstream.url.rpartition(":")[2].partition("/")[0])
        upstream.fail("bad", 429)
        upstream.delay("slow", 0.3)
        assert post(port, "/v1/chat/completions", {"model": "bad"}).status == 429
        assert post(port, "/v1/chat/completions", {"model": "slow"}).took_s >= 0.3
        upstream.reset()
        assert post(port, "/v1/chat/completions", {"model": "bad"}).status == 200
        upstream.delay("slow", 60)
        begun = time.monotonic()
        with pytest.raises(OSError):
            post(port, "/v1/chat/completions", {"model": "slow"}, timeout_s=0.2)
    assert time.monotonic() - begun < 5  # a late answer holds nobody up


def test_vectors_know_words_only() -> None:
    assert vector_of("Hola, mundo") == vector_of("mundo hola")
    assert vector_of("hola") != vector_of("adios")


def test_every_product_is_pinned_to_the_file_and_has_tests() -> None:
    assert set(installing.QUICK) <= set(installing.products())
    for name in installing.products():
        assert installing.tests_of(name).is_file(), name
        listed = installing.REQUIREMENTS / f"{name}.txt"
        if listed.is_file():
            rows = re.split(r"\n(?=[a-z0-9])", re.sub(r"(?m)^#.*\n", "", listed.read_text("utf-8")).strip())
            assert all("==" in row.split()[0] and "--hash=sha256:" in row for row in rows), name
        else:
            lock = json.loads((listed.with_suffix("") / "package-lock.json").read_text("utf-8"))
            assert all("integrity" in one for path, one in lock["packages"].items() if path), name
        assert not re.search(r"https?://", "".join(path.read_text("utf-8") for path in installing._pinned(name))), name


def test_another_pin_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRODUCTS_DIR", str(tmp_path / "there"))
    monkeypatch.setattr(installing, "REQUIREMENTS", tmp_path)
    (tmp_path / "x.txt").write_text("", "utf-8")
    assert installing.products() == ["x"]
    assert not installing.is_installed("x")
    installing.place_of("x").mkdir(parents=True)
    (installing.place_of("x") / "installed.sha256").write_text(installing._digest("x"), "utf-8")
    assert installing.is_installed("x")
    (tmp_path / "x.txt").write_text("y==1\n", "utf-8")
    assert not installing.is_installed("x")


def test_a_product_of_node_is_left_out_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """CI goes on without it and says so; who asks for it by name is told that it cannot be tried."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [installing.can_run(name) for name in installing.QUICK] == [True, False, False, False]
    monkeypatch.setattr("sys.argv", ["tests.products", "portkey"])
    assert main() == 1
    assert capsys.readouterr().out == "portkey: left out, as there is no node and npm here\n"
