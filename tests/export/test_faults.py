"""Every seeded fault in an exported file is caught by the closed schema of its target, and named with its place."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from costctl.export.targets import target_of
from tests.export.test_targets import given
from tests.policy.example import EXAMPLE


class Fault(NamedTuple):
    """A text of an exported file of the example, what stands in its place, and what is said of it."""

    target: str
    path: str
    old: str
    new: str
    says: str


_VLLM = ("vllm-semantic-router", "config.yaml")
FAULTS = (
    Fault("gptcache", "gptcache.yaml", "similarity_threshold", "similarity_treshold", "did you mean similarity_thres"),
    Fault("gptcache", "gptcache.yaml", "similarity_threshold: 0.9", "similarity_threshold: 90", "from 0 to 1"),
    Fault("gptcache", "gptcache.yaml", "max_distance: 2.0", "max_distance: 4.0", "evaluation_config.max_distance"),
    Fault("gptcache", "gptcache.yaml", "evaluation: distance", "evaluation: exact", "goes with evaluation: distance"),
    Fault("gptcache", "gptcache.yaml", "max_size: 100000", "maxsize: 100000", "did you mean max_size"),
    Fault("gptcache", "start.sh", "-of gptcache.yaml", "-of cache.yaml", "must start with gptcache.yaml"),
    Fault("gptcache", "start.sh", "-s 127.0.0.1", "-s 0.0.0.0", "must start with gptcache.yaml"),
    Fault("redis-langcache", "langcache.json", "ttl_millis", "ttl_seconds", "ttls[0].ttl_seconds: unknown key"),
    Fault("redis-langcache", "langcache.json", 'threshold": 0.8', 'threshold": 0.95', "must not"),
    Fault("redis-langcache", "langcache.json", '"exact"', '"exakt"', "did you mean exact?"),
    Fault("redis-langcache", "langcache.json", "        1,\n", "", "every month must stand in it once"),
    Fault("redis-langcache", "langcache.json", '"serve_min": 0.9,', "", "goes with the strategy semantic"),
    Fault("routellm", "config.yaml", "checkpoint_path", "checkpoint", "did you mean checkpoint_path?"),
    Fault("routellm", "config.yaml", "mf:", "mff:", "did you mean mf?"),
    Fault("routellm", "start.sh", "--strong-model", "--strong-modl", "must start the server"),
    Fault("routellm", "start.sh", "openrouter/meta-llama/llama-3.1-8b-instruct", "openai/gpt-4o", "are the same"),
    Fault("routellm", "calibrate.py", "STRONG_SHARE = 0.15", "STRONG_SHARE = 15", "a share from 0 to 1"),
    Fault(*_VLLM, "reliability:", "reliabilty:", "did you mean reliability?"),
    Fault(*_VLLM, "per_attempt_timeout: 18s", "per_attempt_timeout: 18", "must be a duration"),
    Fault(*_VLLM, "total_timeout: 72s", "total_timeout: 36 parsecs", "must be a duration"),
    Fault(*_VLLM, "max_attempts: 4", "max_attempts: 99", "from 1 to 20"),
    Fault(*_VLLM, "max_attempts: 4", "max_attempts: 2", "4 models stand in a decision"),
    Fault(*_VLLM, "- model: openai-gpt-4o\n", "- model: openai-gpt4o\n", "did you mean openai-gpt-4o?"),
    Fault(*_VLLM, "name: over-2000-tokens", "name: over-200-tokens", "unknown context signal"),
    Fault(*_VLLM, "operator: OR", "operator: XOR", "did you mean OR?"),
    Fault(*_VLLM, "similarity_threshold: 0.9", "similarity_threshold: 90", "from 0 to 1"),
    Fault(*_VLLM, "api_key_env: OPENAI_API_KEY", "api_key: sk-1", "did you mean api_key_env?"),
    Fault(*_VLLM, "priority: 56\n", "priority: 5\n", "its priority must be below"),
    Fault(*_VLLM, "min_tokens: '2001'", "min_tokens: 2001", "a number of tokens in quotes"),
    Fault(*_VLLM, "type: static", "type: statik", "did you mean static?"),
)  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda one: f"{one.target} {one.new.strip()[:40]}")
def test_a_seeded_fault_is_caught(fault: Fault) -> None:
    target = target_of(fault.target)
    files = dict(target.export(given(EXAMPLE)).files)
    assert fault.old in files[fault.path], files[fault.path]
    files[fault.path] = files[fault.path].replace(fault.old, fault.new, 1)
    assert fault.says in "\n".join(target.faults(files))
