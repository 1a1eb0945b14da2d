"""Every seeded fault in an exported file is caught by the closed schema of its target, and named with its place."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from costctl.export.drifting import drifts
from costctl.export.files import tree_of, write_tree
from costctl.export.targets import TARGETS, target_of
from tests.export.test_targets import given
from tests.policy.example import EXAMPLE


class Fault(NamedTuple):
    """A text of an exported file of the example, what stands in its place, and what is said of it."""

    target: str
    path: str
    old: str
    new: str
    says: str


_LITELLM = ("litellm", "config.yaml")
_PLUGIN = ("litellm-plugin", "config.yaml")
_ROUTE = ("cloudflare", "route.json")
_ENVOY = ("envoy", "gateway.yaml")
_BIFROST = ("bifrost", "config.json")
_VLLM = ("vllm-semantic-router", "config.yaml")
_CCR = ("claude-code-router", "config.json")
_CCR3 = ("claude-code-router-v3", "config.json")
_CCR3_SCRIPT = ("claude-code-router-v3", "costctl-route.js")
_OPENROUTER = ("openrouter", "requests.json")
_SWITCHYARD = ("switchyard", "routes.toml")
_PORTKEY = ("portkey", "config.json")
FAULTS = (
    Fault(*_LITELLM, "stream_timeout: 6", "stream_timout: 6", "did you mean stream_timeout?"),
    Fault(*_LITELLM, "    timeout: 6\n", "", "timeout: is missing beside stream_timeout"),
    Fault(*_LITELLM, "- model_name: tier-c\n", "- model_name: tier-d\n", "unknown"),
    Fault(*_PLUGIN, "max_fallbacks: 2", "max_fallbacks: 1", "max_fallbacks"),
    Fault(*_PLUGIN, "classifier_plugin_timeout_ms: 3000", "classifier_plugin_timeout_ms: 3", "from 100 to 60000"),
    Fault(*_PLUGIN, "fallback_tier: A", "fallback_tier: Z", "Z: unknown tier"),
    Fault("gptcache", "gptcache.yaml", "similarity_threshold", "similarity_treshold", "did you mean similarity_thres"),
    Fault("gptcache", "gptcache.yaml", "similarity_threshold: 0.9", "similarity_threshold: 90", "from 0 to 1"),
    Fault("gptcache", "gptcache.yaml", "max_distance: 2.0", "max_distance: 4.0", "evaluation_config.max_distance"),
    Fault("gptcache", "gptcache.yaml", "evaluation: distance", "evaluation: exact", "goes with evaluation: distance"),
    Fault("gptcache", "gptcache.yaml", "max_size: 100000", "maxsize: 100000", "did you mean max_size"),
    Fault("gptcache", "start.sh", "-of gptcache.yaml", "-of cache.yaml", "must start with gptcache.yaml"),
    Fault("gptcache", "start.sh", "-s 127.0.0.1", "-s 0.0.0.0", "must start with gptcache.yaml"),
    Fault(*_CCR, "CUSTOM_ROUTER_PATH", "CUSTOM_ROUTE_PATH", "did you mean CUSTOM_ROUTER_PATH?"),
    Fault(*_CCR, "\"background\": ", "\"backround\": ", "did you mean background?"),
    Fault(*_CCR, "\"tier-c\": [", "\"tier-cc\": [", "unknown scenario"),
    Fault(*_CCR, "openai,gpt-4o-mini", "openai,gpt-4o-mni", "did you mean openai,gpt-4o-mini?"),
    Fault(*_CCR, "$OPENAI_API_KEY", "sk-1", "a reference such as $NAME"),
    Fault("claude-code-router", "router.js", "openai,gpt-4o\"", "openai,gpt-5o\"", "router.js.C: unknown model"),
    Fault("claude-code-router", "router.js", "\"max_tokens\": 2500", "\"max_token\": 2500", "did you mean max_tokens?"),
    Fault(*_CCR3, "\"timeoutMs\": 2000", "\"timeoutMs\": 2", "from 100 to 30000"),
    Fault(*_CCR3, "\"timeoutMs\"", "\"timeoutMS\"", "did you mean timeoutMs?"),
    Fault(*_CCR3, "\"type\": \"script\"", "\"type\": \"scirpt\"", "did you mean script?"),
    Fault(*_CCR3, "\"rewrites\"", "\"rewrite\"", "did you mean rewrites?"),
    Fault(*_CCR3, "\"enabled\": true", "\"enabled\": false", "Router.rules.costctl-route: is not enabled"),
    Fault(*_CCR3, "\"value\": \"openrouter/", "\"value\": \"openrouter,", "must be provider/model"),
    Fault(*_CCR3, "\"mode\": \"off\"", "\"mode\": \"of\"", "did you mean off?"),
    Fault(*_CCR3, "\"mode\": \"retry\"", "\"mode\": \"model-chain\"", "model-chain goes with models"),
    Fault(*_CCR3, "$OPENAI_API_KEY", "sk-1", "a reference such as $NAME"),
    Fault(*_CCR3, "openai_chat_completions", "openai_chat", "openai_chat_completions"),
    Fault(*_CCR3, "not-contains", "contains", "not-contains"),
    Fault(*_CCR3_SCRIPT, "\"asked\": \"openai/gpt-4o\"", "\"asked\": \"openai/gpt-5o\"", "costctl-route.js.C: unknown"),
    Fault(*_CCR3_SCRIPT, "\"retries\": ", "\"retry\": ", "did you mean retries?"),
    Fault(*_CCR3_SCRIPT, "\"chain\": [\n      \"openai/", "\"chain\": [\n      \"opnai/", "unknown model"),
    Fault(*_OPENROUTER, "\"max_tokens\": 2500", "\"max_token\": 2500", "did you mean max_tokens?"),
    Fault(*_OPENROUTER, "allow_fallbacks", "allow_fallback", "did you mean allow_fallbacks?"),
    Fault(*_OPENROUTER, "\"openai/gpt-4o-mini\"", "\"anthropic/claude-3.5-haiku\"", "stands twice"),
    Fault("openrouter", "keys.json", "daily", "dayly", "did you mean daily?"),
    Fault(*_PORTKEY, "request_timeout", "request_timout", "did you mean request_timeout?"),
    Fault(*_PORTKEY, "request_timeout\": 18000", "request_timeout\": 18", "from 100 to"),
    Fault(*_PORTKEY, "request_timeout\": 18000", "request_timeout\": \"18s\"", "must be a whole number"),
    Fault(*_PORTKEY, "\"then\": \"tier-c\"", "\"then\": \"tier-d\"", "unknown target"),
    Fault(*_PORTKEY, "\"default\": \"tier-a\"", "\"default\": \"tier-z\"", "strategy.default: "),
    Fault(*_PORTKEY, "\"mode\": \"fallback\"", "\"mode\": \"falback\"", "did you mean fallback?"),
    Fault(*_PORTKEY, "${OPENAI_API_KEY}", "sk-1", "a reference such as"),
    Fault(*_PORTKEY, "\"name\": \"tier-c-1\"", "\"name\": \"tier-a-1\"", "must begin with a model of its own"),
    Fault(*_PORTKEY, "\"max_tokens\": 2500", "\"max_token\": 2500", "did you mean max_tokens?"),
    Fault("redis-langcache", "langcache.json", "ttl_millis", "ttl_seconds", "exact.ttls[0].ttl_seconds: unknown key"),
    Fault("redis-langcache", "langcache.json", 'threshold": 0.8', 'threshold": 0.95', "must not"),
    Fault("redis-langcache", "langcache.json", '"exact"', '"exakt"', "did you mean exact?"),
    Fault("redis-langcache", "langcache.json", '"attribute": "costctl"', '"attribute": "team"', "costctl"),
    Fault("redis-langcache", "langcache.json", "        1,\n", "", "every month must stand in it once"),
    Fault("redis-langcache", "langcache.json", '"serve_min": 0.9', '"serv_min": 0.9', "did you mean serve_min?"),
    Fault("routellm", "config.yaml", "checkpoint_path", "checkpoint", "did you mean checkpoint_path?"),
    Fault("routellm", "config.yaml", "mf:", "mff:", "did you mean mf?"),
    Fault("routellm", "start.sh", "--strong-model", "--strong-modl", "must start the server"),
    Fault("routellm", "start.sh", "openrouter/meta-llama/llama-3.1-8b-instruct", "openai/gpt-4o", "are the same"),
    Fault("routellm", "calibrate.py", "STRONG_SHARE = 0.15", "STRONG_SHARE = 15", "a share from 0 to 1"),
    Fault(*_SWITCHYARD, "timeout_ms", "timout_ms", "did you mean timeout_ms?"),
    Fault(*_SWITCHYARD, "timeout_ms = 18000", "timeout_ms = 18", "from 100 to"),
    Fault(*_SWITCHYARD, 'target = "tier-c-1"', 'target = "tier-a-1"', "is of another tier"),
    Fault(*_SWITCHYARD, 'target = "tier-c-1"', 'target = "tier-d-1"', "unknown target"),
    Fault(*_SWITCHYARD, 'llm_client = "tier-c-openai"', 'llm_client = "tier-c-opnai"', "did you mean tier-c-openai?"),
    Fault(*_SWITCHYARD, 'type = "passthrough"', 'type = "passthru"', "did you mean passthrough?"),
    Fault(*_SWITCHYARD, 'api_key_env = "OPENAI_API_KEY"', 'api_key = "sk-1"', "did you mean api_key_env?"),
    Fault(*_SWITCHYARD, "max_tokens = 2500", "max_token = 2500", "did you mean max_tokens?"),
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
    Fault(*_ROUTE, '"timeout": 18000', '"timeout": 18', "from 100 to 600000"),
    Fault(*_ROUTE, '"timeout": 18000', '"timout": 18000', "did you mean timeout?"),
    Fault(*_ROUTE, '"limitType": "cost"', '"limitType": "costs"', "did you mean cost?"),
    Fault(*_ROUTE, '"window": 86400', '"window": "1d"', "must be a whole number"),
    Fault(*_ROUTE, '"elementId": "c-model-1"', '"elementId": "c-model-9"', "unknown element, did you mean"),
    Fault(*_ROUTE, '"elementId": "c-via-b-model-1"', '"elementId": "c-model-1"', "a way leads back to it"),
    Fault(*_ROUTE, '"elementId": "is-c"', '"elementId": "end"', "is-c: nothing leads to it"),
    Fault(*_ENVOY, "request: 166500ms", "request: 18 seconds", "must be a duration"),
    Fault(*_ENVOY, "modelNameOverride", "modelOverride", "did you mean modelNameOverride?"),
    Fault(*_ENVOY, "- name: openrouter", "- name: openroutr", "unknown AIServiceBackend, did you mean openrouter?"),
    Fault(*_ENVOY, "kind: AIServiceBackend", "kind: AIServiceBackends", "did you mean AIServiceBackend?"),
    Fault(*_ENVOY, "priority: 3", "priority: 7", "without a gap"),
    Fault(*_ENVOY, "numRetries: 7", "numRetries: 6", "tier-c: numRetries must be at least 7"),
    Fault(*_ENVOY, "value: tier-b", "value: tier-a", "tier-a: stands twice"),
    Fault(*_BIFROST, "== \\\"tier-c\\\"", "= \\\"tier-c\\\"", "not an expression"),
    Fault(*_BIFROST, "headers[", "header[", "unknown variable, did you mean headers?"),
    Fault(*_BIFROST, '4o",\n            "weight": 1.0', '4o",\n            "weight": 0.5', "sum to 0.5, not to 1"),
    Fault(*_BIFROST, '"virtual_key_id": "key-1"', '"virtual_key_id": "key-9"', "unknown virtual key"),
    Fault(*_BIFROST, '"dimension": 1536', '"dimension": 1', "more than one dimension"),
    Fault(*_BIFROST, "env.OPENAI_API_KEY", "sk-1", "a reference such as env.NAME"),
    Fault(*_BIFROST, '"openai/gpt-4o-mini"', '"openai/gpt4o-mini"', "unknown model, did you mean openai/gpt-4o-mini?"),
    Fault(*_BIFROST, "default_request_timeout_in_seconds", "default_request_timeout", "unknown key, did you mean"),
)  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda one: f"{one.target} {one.new.strip()[:40]}")
def test_a_seeded_fault_is_caught(fault: Fault) -> None:
    target = target_of(fault.target)
    files = dict(target.export(given(EXAMPLE)).files)
    assert fault.old in files[fault.path], files[fault.path]
    files[fault.path] = files[fault.path].replace(fault.old, fault.new, 1)
    assert fault.says in "\n".join(target.faults(files))


def test_faults_are_of_every_router_and_told_apart() -> None:
    """No single check catches all: what is said differs, and no router is without faults."""
    routers = {target.name for target in TARGETS} - {"json", "runbook"}
    assert {one.target for one in FAULTS} == routers
    assert len({one.says for one in FAULTS}) >= 60


class Edit(NamedTuple):
    """A file that is well formed and says another policy: what no schema can know, and the check of an export does."""

    target: str
    path: str
    old: str
    new: str
    key: str


_CHAIN = "  - tier-c:\n    - tier-b\n    - tier-a\n  context"
EDITS = (
    Edit(*_LITELLM, _CHAIN, "  - tier-c:\n    - tier-a\n    - tier-b\n  context", "router_settings.fallbacks"),
    Edit(*_PLUGIN, _CHAIN, "  context", "router_settings.fallbacks"),
    Edit(*_PLUGIN, "      TimeoutErrorAllowedFails: 3\n", "", "model_list[tier-a-1].model_info.allowed_fails_policy"),
    Edit(*_VLLM, "per_attempt_timeout: 18s", "per_attempt_timeout: 18m", "routing.fallback"),
    Edit(*_CCR, '"background": "openrouter,meta-llama/llama-3.1-8b-instruct"', '"background": "openai,gpt-4o"', "Rou"),
    Edit(*_OPENROUTER, '"max_tokens": 2500', '"max_tokens": 25', "C.max_tokens"),
    Edit(*_PORTKEY, '"attempts": 1', '"attempts": 4', "targets["),
    Edit(*_BIFROST, '"default_request_timeout_in_seconds": 18', '"default_request_timeout_in_seconds": 99', "pro"),
    Edit(*_ENVOY, "request: 166500ms", "request: 48m", ""),
    Edit(*_SWITCHYARD, "timeout_ms = 18000", "timeout_ms = 180000", ""),
    Edit(*_ROUTE, '"limit": ', '"limit": 1', ""),
)  # fmt: skip


@pytest.mark.parametrize("edit", EDITS, ids=lambda one: f"{one.target} {one.key}")
def test_a_file_that_says_another_policy_is_out_of_step(edit: Edit, tmp_path: Path) -> None:
    resolved = given(EXAMPLE)
    target = target_of(edit.target)
    tree = tree_of(resolved, [(target, target.export(resolved))])
    write_tree(tmp_path, tree)
    assert drifts(tmp_path, tree) == []
    file = tmp_path / edit.target / edit.path
    text = file.read_text("utf-8")
    assert edit.old in text, text
    file.write_text(text.replace(edit.old, edit.new, 1), "utf-8")
    found = drifts(tmp_path, tree)
    assert [one.cause for one in found] == ["hand edit"]
    assert found[0].key.startswith(edit.key), found
