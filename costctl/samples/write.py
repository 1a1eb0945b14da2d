"""All sample logs of the repository, in one call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

from costctl.errors import CostctlError
from costctl.samples import (
    agents,
    anthropic,
    batches,
    bedrock,
    claude_code,
    gateway_exports,
    gateways,
    generic,
    google,
    langfuse,
    langsmith,
    litellm,
    mooncake,
    openai,
    otlp,
    platforms,
    sums,
    traces,
)
from costctl.samples.expected import Counts, yaml_of
from costctl.samples.story_log import REQUESTS_IN_REPO, write_story

SEED = 7
Writer = Callable[[Path, Random], Counts]

# One file each; a further format is one line here.
SMALL_LOGS: tuple[tuple[str, Writer], ...] = (
    ("openai_chat.jsonl", openai.write_bodies),
    ("openai_captures.jsonl", openai.write_captures),
    ("captured_streams.sse", openai.write_streams),
    ("anthropic_messages.jsonl", anthropic.write_captures),
    ("litellm_payloads.jsonl", litellm.write_payloads),
    ("litellm_spend.csv", litellm.write_spend_rows),
    ("claude_code.jsonl", claude_code.write_transcript),
    ("openai_batch_input.jsonl", batches.write_openai_input),
    ("openai_batch_output.jsonl", batches.write_openai_output),
    ("anthropic_batch_results.jsonl", batches.write_anthropic_results),
    ("bedrock_invocations.jsonl", bedrock.write_bedrock),
    ("bedrock_batch_output.jsonl", bedrock.write_bedrock_output),
    ("gemini_answers.jsonl", google.write_gemini),
    ("vertex_log.jsonl", google.write_vertex_log),
    ("generic.jsonl", generic.write_jsonl),
    ("generic.csv", generic.write_csv),
    ("generic.parquet", generic.write_parquet),
    ("generic_gateway.jsonl.gz", generic.write_gzip),
    ("generic_usage.csv.zst", generic.write_zstandard),
    ("own_names.jsonl", generic.write_own_names),
    ("mooncake_trace.jsonl", mooncake.write_trace),
    ("otlp_traces.jsonl", otlp.write_traces),
    ("langfuse_traces.jsonl", langfuse.write_traces),
    ("langfuse_observations.csv", langfuse.write_export),
    ("langsmith_runs.jsonl", langsmith.write_runs),
    ("mlflow_traces.jsonl", platforms.write_mlflow),
    ("weave_calls.jsonl", platforms.write_weave),
    ("braintrust_logs.jsonl", platforms.write_braintrust),
    ("kong_requests.jsonl", gateways.write_kong),
    ("envoy_access.jsonl", gateways.write_envoy),
    ("azure_apim.jsonl", gateways.write_apim),
    ("azure_diagnostics.jsonl", gateways.write_diagnostics),
    ("helicone_requests.jsonl", gateway_exports.write_helicone),
    ("portkey_export.jsonl", gateway_exports.write_portkey),
    ("cloudflare_logs.jsonl", gateway_exports.write_cloudflare),
    ("openrouter_generations.jsonl", gateway_exports.write_generations),
    ("openrouter_activity.csv", gateway_exports.write_activity),
    ("dynamo_trace.jsonl", gateway_exports.write_dynamo),
    ("openai_usage.jsonl", sums.write_openai),
    ("anthropic_console.csv", sums.write_anthropic),
    ("openrouter_days.jsonl", sums.write_openrouter),
    ("codex_rollout.jsonl", agents.write_codex),
    ("gemini_cli_session.jsonl", agents.write_gemini),
    ("qwen_code_session.jsonl", agents.write_qwen),
    ("opencode_messages.jsonl", agents.write_opencode),
    ("azure_trace.csv", traces.write_azure),
    ("burstgpt_trace.csv", traces.write_burstgpt),
)
MAPPED = {"own_names.jsonl": "own_names.mapping.yaml"}


def write_samples(folder: Path, seed: int = SEED, requests: int = REQUESTS_IN_REPO) -> list[Path]:
    """Write every sample log, the mapping that one needs, the expectations and the story's truth.

    Answers with the files written. The same arguments give the same bytes with the same
    versions of zlib, zstandard and polars.

    Raises:
        CostctlError: E190 when the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _write(folder, seed, requests)
    except OSError as error:
        raise CostctlError(
            "E190", f"cannot write samples to {folder}: {error.strerror or error}", "name another folder"
        ) from error


def _write(folder: Path, seed: int, requests: int) -> list[Path]:
    counts: dict[str, Counts] = {}
    for name, write in SMALL_LOGS:
        # A seed per file: a change in one log leaves the others as they are.
        counts[name] = write(folder / name, Random(f"{seed}:{name}"))  # noqa: S311  (repeatable, not secret)
    texts = {MAPPED["own_names.jsonl"]: generic.mapping_yaml()}
    truth = write_story(folder / "story.jsonl.gz", requests, seed)
    counts["story.jsonl.gz"] = truth.counts
    texts |= {"story.truth.yaml": truth.yaml(), "expected.yaml": yaml_of(counts)}
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")
    return [folder / name for name in sorted([*counts, *texts])]
