"""Records of a second format in one file: requests of a kind that the file's own format does not know.

A file is read by one format. What that format ignores because it is no request of its kind may be a request of
another, as where a gateway and its caller write one file. Such a record is refused under the name of that format, so
that its cost is not lost without a word.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from costctl.formats.base import UNREADABLE, LogFormat, Outcome, Record, Rejected, identity_columns
from costctl.formats.captures import is_failure
from costctl.formats.detect import claims
from costctl.formats.registry import FORMATS

# By format, keys of which one stands at the top of every record that its signature takes for a request. They say which
# signatures are worth asking: to ask all of every line that is no request took half as long as to read the line.
KEYS: dict[str, tuple[str, ...]] = {
    "dynamo": ("schema", "event"),
    "openai_usage": ("start_time_iso", "object"),
    "anthropic_console": ("usage_date_utc",),
    "anthropic_costs": ("usage_date_utc",),
    "anthropic_report": ("model_breakdown", "has_more", "starting_at"),
    "bedrock": ("schemaType", "modelId", "message", "@message", "events", "logEvents", "results"),
    "bedrock_batch": ("recordId",),
    "envoy_ai_gateway": ("gen_ai.request.model",),
    "azure_apim": ("deploymentName", "DeploymentName", "category", "CorrelationId"),
    "azure_diagnostics": ("category",),
    "openai_batch": ("custom_id", "object"),
    "anthropic_batch": ("custom_id",),
    "mlflow": ("info", "trace_info", "spans", "data", "trace", "attributes"),
    "otlp": (
        "resourceSpans", "resource_spans", "batches", "resourceLogs", "resource_logs", "attributes", "SpanAttributes",
        "spans", "tags", "start_ns", "span_id", "spanId", "SpanId", "context.span_id",
    ),
    "langfuse": (
        "observations", "batch", "body", "usageDetails", "usage_details",
        "costDetails", "cost_details", "modelParameters",
        "model_parameters", "provided_model_name", "parentObservationId", "parent_observation_id",
        "completionStartTime", "completion_start_time", "statusMessage", "status_message",
    ),
    "langsmith": ("post", "patch", "runs", "run_type", "dotted_order"),
    "weave": ("op_name",),
    "braintrust": ("span_attributes",),
    "litellm_payload": ("call_type",),
    "litellm_spend": ("call_type",),
    "helicone": ("request_created_at",),
    "codex_cli": ("payload",),
    "qwen_code": ("sessionId",),
    "claude_code": ("sessionId",),
    "gemini_cli": ("sessionId", "tokens", "content"),
    "opencode": ("sessionID",),
    "openrouter_generation": ("native_tokens_prompt", "data"),
    "openrouter_activity": ("generation_id",),
    "openrouter_days": ("model_permaslug", "data"),
    "portkey": ("req_units", "response"),
    "cloudflare": ("tokens_in", "ResponseBody"),
    "kong": ("ai",),
    "vertex_log": ("logging_time",),
    "gemini": ("usageMetadata", "usage_metadata", "candidates", "response", "processed_time", "key"),
    "openai": ("object",),
    "anthropic": ("usage",),
    "event_stream": ("__event__", "message", "index", "delta", "response", "sequence_number", "item_id",
                     "output_index", "object"),
    "capture": ("response", "res", "resp", "output", "completion"),
    "mooncake": ("hash_ids",),
    "azure_trace": ("ContextTokens",),
    "burstgpt": ("Request tokens",),
}  # fmt: skip
_MONEY = ("input_tokens", "output_tokens", "total_tokens", "cache_read_tokens", "logged_cost")
_SAID = "a request of another format: "


def stranger_of(reason: str) -> str | None:
    """The format of a record that was refused because it is a request of another one; None for other reasons.

    >>> stranger_of("a request of another format: kong"), stranger_of("not valid JSON at column 3")
    ('kong', None)
    """
    return reason.removeprefix(_SAID) if reason.startswith(_SAID) else None


class Strangers:
    """Finds requests of other formats in a file of one format."""

    def __init__(self, log_format: LogFormat) -> None:
        self._signature = log_format.signature
        # What comes before the pieces of a file are put together is no outcome yet: there the signature decides alone.
        self.is_resolved = log_format.resolve is not None
        self._names_values = log_format.columns == identity_columns()
        # What one function unwraps is read in one file, such as bare bodies among captures. A format that looks for its
        # records within others does not read those that stand alone.
        self._others = [
            item for item in FORMATS
            if item.name in KEYS and item.signature is not log_format.signature and item.unwrap is not log_format.unwrap
        ]  # fmt: skip
        self._by_key: dict[str, tuple[int, ...]] = {}
        for place, item in enumerate(self._others):
            for key in KEYS[item.name]:
                self._by_key[key] = (*self._by_key.get(key, ()), place)

    def judged(self, record: Record, outcome: Outcome | list[Outcome]) -> Outcome | list[Outcome]:
        """The outcome of a record, or a refusal where its own format finds no request in it and another one does.

        A record of which input tokens were read needs no look, unless its format `is_resolved`.
        """
        # Most records that are no request are known to their format by kind: that is asked first, and costs little.
        if type(outcome) is list and self._finds_a_request(outcome):
            return outcome
        if _holds(self._signature, record) or self._finds_a_request(outcome) or is_failure(record):
            return outcome
        name = self._claimed_by(record)
        return outcome if name is None else Rejected(f"{_SAID}{name}")

    def _finds_a_request(self, outcome: Outcome | list[Outcome]) -> bool:
        if self.is_resolved:
            return False
        return any(map(self._is_request, outcome if isinstance(outcome, list) else (outcome,)))

    def _is_request(self, outcome: Outcome) -> bool:
        return isinstance(outcome, dict) and (not self._names_values or says_something(outcome))

    def _claimed_by(self, record: Record) -> str | None:
        found = self._by_key.keys() & record.keys()
        others = (self._others[place] for place in sorted({place for key in found for place in self._by_key[key]}))
        return next((item.name for item in others if _holds(partial(claims, item), record)), None)


def says_something(found: Record) -> bool:
    """Whether what was read of a record counts anything, or says that a call failed."""
    return found.get("status") == "error" or any(found.get(name) is not None for name in _MONEY)


def _holds(test: Callable[[Any], bool], record: Record) -> bool:
    try:
        return bool(test(record))
    except UNREADABLE:
        return False
