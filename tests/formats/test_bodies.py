"""Bare bodies of any provider in one file: each is read by its own shape, errors are requests."""

from __future__ import annotations

from typing import Any

import pytest

from costctl.formats import anthropic, openai
from costctl.formats.answers import openai_answer
from costctl.formats.base import Record, Rejected
from costctl.formats.captures import unwrap
from costctl.formats.content import ContentReader

MESSAGE = {"id": "msg_1", "type": "message", "model": "claude-sonnet-4-5", "content": [],
           "usage": {"input_tokens": 10, "output_tokens": 5}}  # fmt: skip
CHAT = {"id": "c1", "object": "chat.completion", "created": 1772452800, "model": "gpt-4o",
        "choices": [{"message": {"content": "hola"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}}  # fmt: skip


def read(record: Record) -> Record:
    found = unwrap(record)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("log_format", [*openai.FORMATS, *anthropic.FORMATS], ids=lambda item: item.name)
def test_every_file_of_bodies_reads_all_of_them(log_format: Any) -> None:
    batch = {**MESSAGE, "usage": {**MESSAGE["usage"], "service_tier": "batch",  # type: ignore[dict-item]
                                  "server_tool_use": {"web_search_requests": 1}}}  # fmt: skip
    message = log_format.unwrap(batch)
    assert (message["provider"], message["service_tier"], message["web_searches"]) == ("anthropic", "batch", 1)
    chat = log_format.unwrap(CHAT)
    assert (chat["provider"], chat["started_at"], chat["dedupe_key"]) == ("openai", 1772452800, "c1:1772452800")
    capture = log_format.unwrap({"request": {"model": "gpt-4o"}, "response": CHAT, "timestamp": "2026-03-02"})
    assert (capture["request_model"], capture["started_at"]) == ("gpt-4o", "2026-03-02")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}, "overloaded_error"),
        ({"error": {"message": "x", "type": "server_error", "param": None, "code": None}}, "server_error"),
        ({"error": {"code": 429, "message": "x", "status": "RESOURCE_EXHAUSTED"}}, "RESOURCE_EXHAUSTED"),
        ({"object": "response", "status": "failed", "error": {"code": "server_error"}}, "server_error"),
        ({"error": "a sentence that may quote the prompt"}, "error"),
    ],
)
def test_an_error_body_is_a_failed_request(body: Record, kind: str) -> None:
    found = read(body)
    assert (found["status"], found["error_type"]) == ("error", kind)
    assert "input_tokens" not in found


@pytest.mark.parametrize("record", [{"hello": 1}, {"type": [], "object": {}}, {"object": "page", "usage": 3}, {}])
def test_what_is_no_body_is_refused(record: Record) -> None:
    assert isinstance(unwrap(record), Rejected)


@pytest.mark.parametrize("usage", [None, [], 7, "x"])
def test_a_message_without_usage_has_unknown_usage(usage: Any) -> None:
    found = read({**MESSAGE, "usage": usage})
    assert found["response_model"] == "claude-sonnet-4-5"
    assert "input_tokens" not in found


def test_what_a_responses_object_did() -> None:
    search = {"type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "x"}}
    opened = {**search, "action": {"type": "open_page"}}
    text = {"type": "message", "content": [{"type": "output_text", "text": "hola"}]}
    output = [search, opened, search, text, {"type": "function_call"}, "odd"]
    found = read({"object": "response", "id": "r", "status": "completed", "output": output})
    assert (found["web_searches"], found["tool_calls"], found["response_text"]) == (2, 1, "hola")
    assert found["finish_reason"] == "completed"


def test_embeddings_have_no_prompt_cache() -> None:
    found = read({"object": "list", "model": "e", "data": [], "usage": {"prompt_tokens": 8, "total_tokens": 8}})
    assert (found["input_tokens"], found["output_tokens"], found["cache_read_tokens"]) == (8, 0, 0)


def test_a_gemini_answer_in_snake_case() -> None:
    found = read(
        {
            "candidates": [{"finish_reason": "STOP", "content": {"parts": [{"text": "a"}, {"function_call": {}}]}}],
            "usage_metadata": {"prompt_token_count": 9, "traffic_type": "ON_DEMAND_FLEX"},
            "model_version": "gemini-2.5-flash", "response_id": "g1",
        }
    )  # fmt: skip
    assert (found["response_model"], found["request_id"], found["service_tier"]) == ("gemini-2.5-flash", "g1", "flex")
    assert (found["tool_calls"], found["response_text"], found["finish_reason"]) == (1, "a", "STOP")


def test_odd_content_parts_are_text() -> None:
    parts = [{"type": [], "text": "x"}, {"type": {}, "text": "y"}]
    found = ContentReader(b"key").read([{"role": [], "content": parts}], None)
    assert found[2] == 3  # "x\ny"


def test_a_body_in_the_shape_of_openai_is_of_whoever_sells_that_name() -> None:
    """Fourteen vendors answer so; where many sell a model, nobody knows who did."""
    sold = {
        "gpt-4o": "openai", "o4-mini": "openai", "ft:gpt-4o:acme::1": "openai", "sonar-pro": "perplexity",
        "deepseek-chat": "deepseek", "grok-3-mini": "x-ai", "kimi-k2-0905-preview": "moonshotai",
        "mistral-large-latest": "mistral", "llama-3.3-70b-versatile": None, "gpt-oss-120b": None,
        "deepseek-r1-distill-llama-70b": None, "openai/gpt-4o": None,
    }  # fmt: skip
    for model, vendor in sold.items():
        body = {"id": "c", "object": "chat.completion", "model": model, "created": 1772452800, "choices": []}
        assert openai_answer(body)["provider"] == vendor, model
