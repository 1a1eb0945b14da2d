"""The stages of a policy below routing and budgets, told in rows: attempts, caches, what is sent, engines, answers."""

from __future__ import annotations

from collections.abc import Iterator

from costctl.policy.behaviour import CountedFailures
from costctl.policy.schema import Policy
from costctl.policy.stages import Cache, KillSwitch, Limit, PromptCache, SelfHosted, SemanticCache, Validation
from costctl.policy.tell import condition, duration
from costctl.report import counted

Row = tuple[str, str, str, str]
"""Kind, name, what it does, and its key in the file."""

OVER = {"queue": "wait", "fallback": "the next of the fallbacks", "error": "no answer"}
AUTO = {"auto": "where providers do it by themselves", "none": "nowhere by itself"}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def told_stages(policy: Policy) -> Iterator[Row]:
    """The rows in the order of the file."""
    for provider, limit in policy.limits.items():
        yield "limit", provider, f"{limit_text(limit)}; over it: {OVER[limit.over]}", "limits"
    for tier, chain in policy.fallbacks.items():
        yield "fallback", tier, f"then {', then '.join(chain)}" if chain else "to nobody", "fallbacks"
    yield from _attempts(policy)
    yield from _caches(policy.cache)
    yield from _sent(policy)
    for one in policy.self_hosted:
        yield "self-hosted", one.name, _engine(one), "self_hosted"
    yield from _answers(policy)


def limit_text(limit: Limit) -> str:
    """What a limit lets through."""
    said = [
        f"{value:,} {name.replace('_', ' ')}" for name, value in limit.model_dump().items() if isinstance(value, int)
    ]
    return ", ".join(said)


def kill_text(kill: KillSwitch) -> str:
    """When a kill switch takes out whom it watches, and for how long."""
    if isinstance(kill, CountedFailures):
        return f"{counted(kill.failures_max + 1, 'failure')} of one kind: out for {duration(kill.cooldown_us)}"
    least = counted(kill.min_requests, "request")
    what = f"{kill.error_ratio:%} errors in {duration(kill.window_us)}, of {least} at least"
    return f"{what}: out for {duration(kill.cooldown_us)}"


def _attempts(policy: Policy) -> Iterator[Row]:
    retries, hedge, escalate, kill = policy.retries, policy.hedge, policy.escalate, policy.kill_switch
    if retries is not None:
        faults = ", ".join(one.replace("_", " ") for one in retries.on)
        apart = f"{duration(retries.backoff_us)} apart, doubling"
        yield "retries", str(retries.max_count), f"after {faults}; {apart}", "retries"
    if hedge is not None:
        yield "hedge", hedge.tier, f"a second call where none has answered after {duration(hedge.after_us)}", "hedge"
    if escalate is not None:
        reasons = ", ".join(one.replace("_", " ") for one in escalate.when)
        rest = "" if escalate.ratio is None else f"; {escalate.ratio:%} of answers where the log has no evidence"
        what = f"also asked after {reasons}, both are paid{rest}"
        yield "escalate", f"{escalate.from_tier} to {escalate.to}", what, "escalate"
    if kill is not None:
        yield "kill switch", "a provider", kill_text(kill), "kill_switch"


def _caches(cache: Cache) -> Iterator[Row]:
    if cache.exact is not None:
        exact = cache.exact
        # One cache for all models is what gateways do, and what nobody expects who has not read of it.
        models = "" if "model" in exact.scope else ", whatever model answered"
        whose = f"per {' + '.join(exact.scope)}{models}" if exact.scope else "for everybody"
        more = "" if exact.capacity is None else f"; {counted(exact.capacity, 'answer')} at most"
        more += "" if exact.max_temperature is None else f"; up to temperature {exact.max_temperature:f}"
        what = f"kept {duration(exact.ttl_us)} from {exact.ttl_from.replace('_', ' ')}, {whose}{more}"
        yield "cache", "exact", what, "cache.exact"
    if cache.semantic is not None:
        yield "cache", "semantic", _semantic(cache.semantic), "cache.semantic"
    if cache.prompt is not None:
        yield "cache", "prompt", _prompt(cache.prompt), "cache.prompt"
    for name in cache.exclude:
        what = "is kept by no cache and served by none"
        yield "cache", "never", f"{name.replace('_', ' ')} {what}", "cache.exclude"


def _semantic(cache: SemanticCache) -> str:
    if cache.serve_min > 1 and cache.refresh_min is None:
        return f"serves nothing: no similarity is above 1, and serve_min is {cache.serve_min:f}"
    parts = [f"served from a similarity of {cache.serve_min:f} on"]
    if cache.refresh_min is not None:
        parts.append(f"from {cache.refresh_min:f} on {cache.refresh_tier} answers")
    kept = [
        duration(one.ttl_us) + (f" in {', '.join(MONTHS[month - 1] for month in one.months)}" if one.months else "")
        for one in cache.ttls
    ]
    parts.append(f"kept {', else '.join(kept)}")
    if cache.key:
        parts.append(f"equal must be {', '.join(one.replace('_', ' ') for one in cache.key)}")
    return "; ".join((*parts, f"guard {cache.guard}"))


def _prompt(cache: PromptCache) -> str:
    where = (
        AUTO[cache.providers] if isinstance(cache.providers, str) else f"at {', '.join(cache.providers) or 'nobody'}"
    )
    asked = f"; asked for at {', '.join(cache.opt_in)}" if cache.opt_in else ""
    return f"{where}{asked}"


def _sent(policy: Policy) -> Iterator[Row]:
    context, compression = policy.context, policy.compression
    if context is not None and context.max_history_turns is not None:
        yield "context", "history", f"the last {context.max_history_turns:,} turns are sent", "context"
    if context is not None and context.summarise_over_tokens is not None:
        what = f"of history above {context.summarise_over_tokens:,} tokens of input, written by {context.summariser}"
        yield "context", "summary", what, "context"
    if compression is not None:
        what = (
            f"{compression.ratio_kept:%} of the uncached input is kept, from {compression.min_input_tokens:,} tokens on"
        )
        price = f"${compression.usd_per_million_tokens:f} per million tokens"
        took = f"{duration(compression.us_per_1k_tokens)} per 1,000"
        yield "compression", "prompts", f"{what}; {price}, {took}", "compression"
    for source in policy.data_sources:
        each = f"${source.usd_per_call:f} and {duration(source.latency_us)} a call"
        what = f"has {source.hit_ratio:%} of what is asked; {each}"
        yield "data source", source.name, what, "data_sources"
    for endpoint in policy.batch.endpoints if policy.batch is not None else ():
        assert policy.batch is not None
        what = f"at batch prices where an answer comes within {duration(policy.batch.max_delay_us)}"
        yield "batch", endpoint, what, "batch"


def _engine(one: SelfHosted) -> str:
    engine = f" on {one.engine}" if one.engine else ""
    parts = [f"{one.count} x {one.accelerator or 'accelerator'}{engine} at ${one.usd_per_hour:f} an hour"]
    parts.append(f"{one.tokens_per_s:f} tokens/s in {one.max_num_seqs:,} sequences")
    if one.quantization != "none":
        parts.append(one.quantization)
    if one.quality_ratio is not None:
        parts.append(f"quality x {one.quality_ratio:f}, stated")
    return ", ".join(parts) + (f", ${one.one_off_usd:f} once" if one.one_off_usd else "")


def _answers(policy: Policy) -> Iterator[Row]:
    after = policy.post_process
    if after is None:
        return
    for name, call in (("reformat", after.reformat), ("translate", after.translate)):
        if call is not None:
            what = f"one more call of {call.tier} where {condition(call.when)}"
            yield "post-process", name, what, "post_process"
    if after.validation is not None:
        yield "post-process", "validate", _validation(after.validation), "post_process"


def _validation(rules: Validation) -> str:
    said = [] if rules.allowed_tags is None else [f"tags: {', '.join(rules.allowed_tags) or 'none'}"]
    said += ["no contacts"] if rules.no_contacts else []
    said += [f"no links to {', '.join(rules.forbidden_links)}"] if rules.forbidden_links else []
    return f"written anew where it breaks a rule ({'; '.join(said) or 'there is none'})"
