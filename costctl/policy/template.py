"""The first policy of a user: their own models in tiers, and every other key in comments."""

from __future__ import annotations

from collections.abc import Sequence

TIER_NAMES = ("A", "B", "C")

HEAD = """\
## A policy of costctl: how requests would be served. Replay your log under it before you use it.
## Lines with ## explain; take the # of any other line away to use it.
## Units: 24h, 15m, 90s, 500ms, 7d or 1h30m; 8k is 8,000 and 5M 5,000,000; 45% is 0.45.
## All keys of one `when` must hold; `any:` and `all:` take lists of conditions, `not:` takes one.

version: 1
name: my-policy

tiers:                                 # cheapest first
"""

TIER_KEYS = """\
## More keys of a tier: select: first, cheapest, fastest or weights (with weights: [3, 1]),
## max_output_tokens: 1200, context_tokens: 128k, timeout_s: 12, temperature: 0.3
## A timeout ends a try with its hedge; what it ends counts as free, unless assume has timed_out_is_billed: true.
"""

ROUTING = """\
routing:
  default: logged                      # logged keeps the model of the log; else the name of a tier
  matrix: {{greeting: {low}, confirmation: {low}, faq: {low}, reformat: {low}, extraction: {low}}}   # by intent
## First match wins, before the matrix; the name is the routing reason in the report.
#  rules:
#    - {{name: long history, when: {{any: [{{input_tokens: '>2000'}}, {{turn_count: '>=8'}}]}}, to: {top}}}
#    - {{name: sales on the web, when: {{endpoint: [/lead, /checkout*], has_image: false}}, to: {top}}}
## A learned router where no rule matches, between the tiers of its two models: costctl train-router writes the file.
## min_confidence: the cheaper one only where it does as well with this chance; else as the file's own threshold says.
#  classifier: {{file: router.json, min_confidence: 70%}}
## Go up to a tier, never down.
#  raise: [{{name: external facts, when: {{external_facts: true}}, to: {top}, add_instruction: Do not invent.}}]
## Nothing sends these requests lower.
#  floors: [{{name: register, when: {{register: es-CL}}, at_least: {top}}}]
#  sticky: session                     # within a session (or user) the tier never falls
"""

CACHE = """\
cache:
  exact: {ttl: 24h, scope: [app]}      # scope: endpoint, team, user, app, model, user_profile, session
## More keys of exact: ttl_from: insert or last_hit, capacity: 100k, max_temperature: 0.3
## Answers to near prompts; guard: numbers, times, names and negations must be the same. Between the two thresholds
## a cheap tier refreshes: refresh_min: 0.80, refresh_tier: A. key: what must be equal, such as [intent].
#  semantic: {serve_min: 0.95, ttl: 24h, guard: strict}
## The providers' own caches: moved calls read what their session left there, cold after a switch.
  prompt: {providers: auto}            # auto, none or a list; opt_in: [anthropic] where calls must ask
  exclude: [personal_data]             # or a field and its text: "endpoint:/private*"
"""

MORE = """\
## What the log cannot show; every figure that rests on it says so. Also by model: {openai/gpt-4o: 1.1}
## The latency of models that the log does not show is a published one, or what you say here.
#assume: {output_tokens_ratio: 1, input_tokens_ratio: 1, first_token_ms: 300, output_tokens_per_s: 100}

## Bounds that the simulation must keep; a broken one of level error ends with exit code 6.
#gates: ['saving_ratio >= 0.40', {gate: 'cache_hit_ratio >= 0.40', level: warn}]

## Special models beside the tiers, to which a rule may send.
#specialists: {local: {models: [self/llama-3.1-8b]}}

## Caps per UTC day and request; over: degrade goes down a tier, refuse does not answer.
## By name: usd_per_day: [{max: 120}, {team: sales, max: 20}]
#budgets:
#  usd_per_day: 120
#  usd_per_request_max: 0.05
#  over: degrade
#  tokens_per_day: [{user_profile: free, max: 20k}, {endpoint: /chat, max: 5M}]
"""

# What needs a second tier.
SEVERAL = """\
#  max_share_per_day: {{{top}: 45%}}   # of the calls so far that UTC day, from its 101st on
"""

ATTEMPTS = """\

## Slow and failed attempts, drawn from the log's own; C: [B, A] tries B after C, then A.
{fallbacks}\
#retries: {{max: 1, backoff_s: 0.5, on: [timeout, rate_limit, server_error]}}
#hedge: {{tier: {top}, after_s: 9}}
## A second, dearer call where the answer is not good enough; ratio where the log cannot show how often.
{escalate}\
## What a provider lets through (over: queue, fallback or error), and when it is left alone for a while.
#limits: {{openai: {{requests_per_min: 500, tokens_per_min: 200k, over: fallback}}}}
#kill_switch: {{error_ratio: 20%, window: 15m, min_requests: 20, cooldown: 10m}}
"""

AROUND = """\

## A model on accelerators of one's own, which a tier or a specialist may name: paid by the hour, idle or not.
## tokens_per_s: output of one accelerator with max_num_seqs requests at once; count: accelerators.
#self_hosted:
#  - {{name: self/llama-3.1-8b, engine: vllm, accelerator: L4, usd_per_hour: 0.8, tokens_per_s: 1500, max_num_seqs: 64}}

## What is sent: the last turns of a conversation, a summary of the oldest above a size, a compressed prompt.
#context: {{max_history_turns: 12, summarise_over: 8k, summariser: {low}}}
#compression: {{ratio_kept: 0.5, min_input_tokens: 4k, usd_per_million_tokens: 0.02, ms_per_1k_tokens: 30}}
## Requests that may wait for batch prices; look-ups for calls that ask for facts, each where the one before has none.
#batch: {{endpoints: [/nightly], max_delay: 24h}}
#data_sources: [{{name: own, usd_per_call: 0, latency_ms: 20, hit_ratio: 70%}}]
## Work on answers by a cheap tier: reformat where HTML or JSON is asked for, translate by the question's language;
## validate writes those of the log anew that break its rules: allowed_tags: [p, b], forbidden_links: [example.com].
#post_process: {{translate: {{tier: {low}, when: {{output_language_not: es}}}}, validate: {{no_contacts: true}}}}
"""

BESIDE = """\

## Beside the main figures: costs that no request causes, the same log under stress, arms of an A/B test.
#fixed_costs: [{{name: redis, usd_per_month: 60, one_off_usd: 0}}]
#scenarios:
#  volume_ratio: 2
#  price_ratio: {{openai/gpt-4o: 1.5}}
#  outage: {{provider: openai, from: '2026-03-05T14:00Z', for: 45m}}
#experiments:
#  - {{name: half, unit: user, arms: {{now: 50%, short: {{share: 50%, tiers: {{{low}: {{max_output_tokens: 99}}}}}}}}}}
"""

EXPORT = """\

## What costctl export-config writes: the policy for any application, and a page for the people on call.
#export: {{targets: [json, runbook], accept_loss: []}}
"""


def starter_policy(models: Sequence[str]) -> str:
    """A commented policy.yaml over these models, which stand cheapest first.

    With more models than tiers, the first, the middle and the last are taken.
    """
    own = list(dict.fromkeys(model for model in models if model and model != "logged"))
    chosen = own if len(own) <= len(TIER_NAMES) else [own[0], own[len(own) // 2], own[-1]]
    names = TIER_NAMES[: len(chosen) or 1]
    tiers = [
        f"  {name}: {{models: [{quoted(model)}]}}"
        for name, model in zip(names, chosen or ["openai/gpt-4o-mini"], strict=True)
    ]
    rest = [f"##   {quoted(model)}" for model in own if model not in chosen]
    if rest:
        rest.insert(0, "## Further models; a tier may hold several.")
    words = {
        "low": names[0], "top": names[-1], "lower": ", ".join(reversed(names[:-1])),
        "escalate": f"#escalate: {{from: {names[0]}, to: {names[1]}, when: [refusal, truncated], ratio: 8%}}\n"
        if len(names) > 1
        else "",
        "fallbacks": f"#fallbacks: {{{names[-1]}: [{names[0]}]}}\n" if len(names) > 1 else "",
    }  # fmt: skip
    parts = [ROUTING.format(**words), CACHE, MORE + (SEVERAL.format(**words) if len(names) > 1 else "")]
    later = "".join(part.format(**words) for part in (ATTEMPTS, AROUND, BESIDE, EXPORT))
    return HEAD + "\n".join([*tiers, *rest, TIER_KEYS, *parts]) + later


def quoted(text: str) -> str:
    r"""A text as a YAML double-quoted scalar of one line of ASCII, whatever it holds.

    >>> quoted('a "b"')
    '"a \\"b\\""'
    """
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    code = ord(character)
    if character in '"\\':
        return "\\" + character
    if 0x20 <= code < 0x7F:
        return character
    if 0xD800 <= code < 0xE000:  # half a character, which no file can hold
        return "\\uFFFD"
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"
