"""What a policy means: each check, its place, and what it leaves alone."""

from __future__ import annotations

import pytest

from costctl.policy.schema import Policy
from tests.policy.example import parsed, problems

HEAD = "version: 1\ntiers: {A: {models: [m]}, B: {models: [n]}, C: {models: [o]}}\nspecialists: {code: {models: [q]}}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("routing: {default: D}", "4:11: routing.default: no tier is named 'D'; known: A, B, C, code, logged"),
        ("routing: {default: loged}", "4:11: routing.default: no tier is named 'loged'; did you mean logged?"),
        ("routing: {rules: [{name: r, when: {team: x}, to: logged}]}",
         "4:46: routing.rules[0].to: no tier is named 'logged'; known: A, B, C, code"),
        ("routing: {matrix: {faq: cod}}", "4:20: routing.matrix.faq: no tier is named 'cod'; did you mean code?"),
        ("routing: {raise: [{name: r, when: {team: x}, to: code}]}",
         "4:46: routing.raise[0].to: code is a specialist; here stands a tier: A, B, C"),
        ("routing: {floors: [{name: r, when: {team: x}, at_least: D}]}",
         "4:47: routing.floors[0].at_least: no tier is named 'D'; known: A, B, C"),
        ("budgets: {max_share_per_day: {D: 5%}}",
         "4:31: budgets.max_share_per_day.D: no tier is named 'D'; known: A, B, C"),
        ("budgets: {usd_per_day: [{tier: D, max: 1}]}",
         "4:26: budgets.usd_per_day[0].tier: no tier is named 'D'; known: A, B, C, code"),
        ("fallbacks: {D: [A]}", "4:13: fallbacks.D: no tier is named 'D'; known: A, B, C, code"),
        ("fallbacks: {C: [B, D]}", "4:20: fallbacks.C[1]: no tier is named 'D'; known: A, B, C, code"),
        ("hedge: {tier: D, after_s: 1}", "4:9: hedge.tier: no tier is named 'D'; known: A, B, C, code"),
        ("escalate: {from: D, to: B, when: [error]}",
         "4:12: escalate.from: no tier is named 'D'; known: A, B, C, code"),
        ("escalate: {from: A, to: D, when: [error]}", "4:21: escalate.to: no tier is named 'D'; known: A, B, C, code"),
        ("context: {summarise_over: 8k, summariser: D}",
         "4:31: context.summariser: no tier is named 'D'; known: A, B, C, code"),
        ("cache: {semantic: {serve_min: 0.9, refresh_min: 0.8, refresh_tier: D, ttl: 1h}}",
         "4:54: cache.semantic.refresh_tier: no tier is named 'D'; known: A, B, C, code"),
        ("post_process: {reformat: {tier: D, when: {app: x}}}",
         "4:27: post_process.reformat.tier: no tier is named 'D'; known: A, B, C, code"),
        ("post_process: {translate: {tier: D, when: {app: x}}}",
         "4:28: post_process.translate.tier: no tier is named 'D'; known: A, B, C, code"),
        ("experiments: [{name: e, unit: user, arms: {a: {share: 100%, tiers: {D: {select: first}}}}}]",
         "4:69: experiments[0].arms.a.tiers.D: no tier is named 'D'; known: A, B, C, code"),
    ],
)  # fmt: skip
def test_a_named_tier_must_exist(text: str, expected: str) -> None:
    assert problems(HEAD + text) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fallbacks: {A: [A]}", ["4:13: fallbacks.A: goes in a circle: A to A"]),
        ("fallbacks: {C: [B], B: [A, C]}",
         ["4:13: fallbacks.C: goes in a circle: C to B to C", "4:21: fallbacks.B: goes in a circle: B to C to B"]),
        ("fallbacks: {A: [B], B: [C], C: [code, A]}",
         ["4:13: fallbacks.A: goes in a circle: A to B to C to A",
          "4:21: fallbacks.B: goes in a circle: B to C to A to B",
          "4:29: fallbacks.C: goes in a circle: C to A to B to C"]),
        ("escalate: {from: B, to: B, when: [error]}", ["4:21: escalate.to: must differ from `from`"]),
        ("escalate: {from: A, to: B, when: [truncated, low_score, wrong_register]}",
         ["4:1: escalate: needs ratio, such as ratio: 8%: no log shows low_score, wrong_register"]),
        ("escalate: {from: B, to: A, when: [error]}",
         ["4:21: escalate.to: must be a dearer tier than B; tiers stand cheapest first"]),
        ("experiments: [{name: e, unit: user, arms: {a: 50%, b: 0.4}}]",
         ["4:37: experiments[0].arms: the shares of the arms sum to 90%, not to 100%"]),
        ("experiments: [{name: e, unit: user, arms: {a: 33.3%, b: {share: 66.8%}}}]",
         ["4:37: experiments[0].arms: the shares of the arms sum to 100.1%, not to 100%"]),
        ("cache: {semantic: {serve_min: 0.8, refresh_min: 90%, refresh_tier: A, ttl: 1h}}",
         ["4:36: cache.semantic.refresh_min: must not be above serve_min (80%)"]),
        ("cache: {semantic: {serve_min: 0.9, refresh_min: 80%, ttl: 1h}}",
         ["4:9: cache.semantic.refresh_tier: is missing; refresh_min says when it is asked"]),
        ("cache: {semantic: {serve_min: 1}}", ["4:9: cache.semantic.ttl: is missing"]),
        ("cache: {semantic: {serve_min: 1.01, refresh_min: 0.9, refresh_tier: A}}",
         ["4:9: cache.semantic.ttl: is missing"]),
        ("context: {summarise_over: 8k}",
         ["4:1: context.summariser: is missing; it says which tier writes the summaries"]),
        ("context: {summariser: A}", ["4:11: context.summariser: has no effect without summarise_over"]),
        ("cache: {semantic: {serve_min: 0.9, refresh_tier: A, ttl: 1h}}",
         ["4:36: cache.semantic.refresh_tier: has no effect without refresh_min"]),
        ("cache: {semantic: {serve_min: 0.9, ttl: [{ttl: 1h}, {months: [1], ttl: 2h}]}}",
         ["4:53: cache.semantic.ttl[1]: is never used; the entry for all other months comes last"]),
        ("cache: {semantic: {serve_min: 0.9, ttl: [{months: [1], ttl: 2h}, {months: [2, 1], ttl: 2h}, {ttl: 1h}]}}",
         ["4:67: cache.semantic.ttl[1].months: names a month of an earlier entry"]),
        ("cache: {semantic: {serve_min: 0.9, ttl: [{months: [1], ttl: 2h}]}}",
         ["4:36: cache.semantic.ttl: says nothing of the other months; add an entry without months"]),
        ("limits: {openai: {over: queue}}",
         ["4:10: limits.openai: limits nothing; name requests_per_min, tokens_per_min, requests_per_day or "
          "tokens_per_day"]),
        ("kill_switch: {error_ratio: 0.2, window: 0m, cooldown: 0s}",
         ["4:33: kill_switch.window: must be above 0, else no provider is ever out; such as 15m",
          "4:45: kill_switch.cooldown: must be above 0, else no provider is ever out; such as 15m"]),
        ("gates: ['saving_ratio >= 40', {gate: 'cache_hit_ratio > 1'}]",
         ["4:9: gates[0]: can never hold: saving_ratio is a share, at most 1; 40 % is 0.4",
          "4:32: gates[1].gate: can never hold: cache_hit_ratio is a share, at most 1"]),
        ("gates: ['refused_count < 0', 'policy_cost_usd <= -1', 'policy_latency_ms_p95 <= -5']",
         ["4:9: gates[0]: can never hold: refused_count is never below 0",
          "4:30: gates[1]: can never hold: policy_cost_usd is never below 0",
          "4:55: gates[2]: can never hold: policy_latency_ms_p95 is never below 0"]),
        ("self_hosted: [{name: x, engine: vlm, usd_per_hour: 1, tokens_per_s: 1}]",
         ["4:25: self_hosted[0].engine: must be one of vllm, sglang, tensorrt-llm, tgi, llama.cpp, ollama, lmdeploy, "
          "mlx, exllamav2, aphrodite, triton, jetstream, neuron, openvino, other, not 'vlm'; did you mean vllm?"]),
        ("routing: {rules: [{name: a, when: {team: x}, to: A}], floors: [{name: a, when: {team: x}, at_least: B}]}",
         ["4:65: routing.floors[0].name: 'a' is also routing.rules[0].name; a name is the routing reason"]),
        ("fixed_costs: [{name: a, usd_per_month: 1}, {name: a, usd_per_month: 2}]",
         ["4:45: fixed_costs[1].name: 'a' is also fixed_costs[0].name; a name is a row of the report"]),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_refused(text: str, expected: list[str]) -> None:
    assert problems(HEAD + text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tiers: {A: {models: [m]}}\nspecialists: {A: {models: [n]}}",
         ["3:15: specialists.A: is also the name of a tier"]),
        ("tiers: {logged: {models: [m]}}", ["2:9: tiers.logged: is the word for the model of the log, not a name"]),
        ("tiers: {A: {models: [m, logged]}}",
         ["2:13: tiers.A.models: logged stands alone: it keeps the model of the log"]),
        ("tiers: {A: {models: [m], select: weights}}",
         ["2:26: tiers.A.select: select: weights and weights go together"]),
        ("tiers: {A: {models: [m], weights: [1]}}", ["2:26: tiers.A.weights: select: weights and weights go together"]),
        ("tiers: {A: {models: [m, n], select: weights, weights: [1]}}",
         ["2:46: tiers.A.weights: needs 2 weights, one for each model"]),
        ("tiers: {A: {models: [m]}, B: {models: [n]}}\nbudgets: {max_share_per_day: {A: 50%, B: 15%}}",
         ["3:11: budgets.max_share_per_day: leaves 35% of the requests no tier; let one tier without a cap"]),
        ("routing: {default: A}", ["2:11: routing.default: no tier is named 'A'; known: logged"]),
    ],
)  # fmt: skip
def test_tiers_must_fit_together(text: str, expected: list[str]) -> None:
    assert problems(f"version: 1\n{text}") == expected


@pytest.mark.parametrize(
    "text",
    [
        "fallbacks: {C: [B, A], B: [A], code: [C]}",
        "gates: ['saving_ratio >= 1', 'saving_usd >= -5', 'saving_ratio > -0.5', 'refused_count <= 0']",
        "kill_switch: {error_ratio: 0.2, window: 1ms, cooldown: 1ms}",
        "routing: {default: code, matrix: {faq: code}}",
        "budgets: {max_share_per_day: {A: 90%, B: 90%}}",
        "budgets: {max_share_per_day: {A: 10%, B: 10%, C: 10%}}",
        "escalate: {from: A, to: code, when: [error]}",
        "experiments: [{name: e, unit: user, arms: {a: 33.3%, b: 33.3%, c: 0.334}}]",
        "cache: {semantic: {serve_min: 0.9, refresh_min: 0.9, refresh_tier: A, ttl: 1h}}",
        "cache: {semantic: {serve_min: 0.9, ttl: [{months: [1,2,3,4,5,6,7,8,9,10,11,12], ttl: 1h}]}}",
        "routing: {rules: [{name: a, when: {team: x}, to: A}]}\nfixed_costs: [{name: a, usd_per_month: 1}]",
    ],
)
def test_what_only_looks_odd_is_read(text: str) -> None:
    assert isinstance(parsed(HEAD + text), Policy)


def test_a_fault_of_form_hides_no_fault_of_meaning() -> None:
    """The rule with a misspelt key still has its target checked."""
    assert problems(HEAD + "routing: {rules: [{nam: r, when: {team: x}, to: D}]}") == [
        "4:19: routing.rules[0].name: is missing",
        "4:20: routing.rules[0].nam: unknown key, did you mean name?",
        "4:45: routing.rules[0].to: no tier is named 'D'; known: A, B, C, code",
    ]


def test_what_stands_below_a_misspelt_key_is_checked_as_below_the_right_one() -> None:
    """At the places of the file; and what the key holds is known to the rest of the policy."""
    text = (
        "version: 1\nteirs: {A: {models: [m], timeout: 3, weihgts: [x]}, B: {model: [n]}}\n"
        "rotuing: {default: D, rules: [{name: r, wehn: {input_token: soon, teem: [3]}, to: B}], ruls: []}\n"
    )
    assert problems(text) == [
        "2:1: teirs: unknown key, did you mean tiers?",
        "2:26: teirs.A.timeout: unknown key, did you mean timeout_s?",
        "2:38: teirs.A.weihgts: unknown key, did you mean weights?",
        "2:38: teirs.A.weihgts: select: weights and weights go together",
        "2:48: teirs.A.weihgts[0]: must be a number above zero, not 'x'",
        "2:57: teirs.B.model: unknown key, did you mean models?",
        "3:1: rotuing: unknown key, did you mean routing?",
        "3:11: rotuing.default: no tier is named 'D'; known: A, B, logged",
        "3:41: rotuing.rules[0].wehn: unknown key, did you mean when?",
        "3:48: rotuing.rules[0].wehn.input_token: unknown field, did you mean input_tokens?",
        "3:67: rotuing.rules[0].wehn.teem: unknown field, did you mean team?",
        "3:74: rotuing.rules[0].wehn.teem[0]: must be a text or a list of texts, not 3; write it in quotes",
        "3:88: rotuing.ruls: unknown key, did you mean rules?",
    ]
    # Where the right key stands there too, nobody knows what is meant.
    assert problems("version: 1\ncahe: {exact: {ttl: soon}}\ncache: {}\n") == [
        "2:1: cahe: unknown key, did you mean cache?",
    ]


def test_names_are_quoted_without_what_moves_the_cursor() -> None:
    (problem,) = problems('version: 1\ntiers: {"A\\e[2J": {models: [m]}}\nrouting: {default: "\\e[31m"}')
    assert problem == r"3:11: routing.default: no tier is named '\x1b[31m'; known: A\x1b[2J, logged"


@pytest.mark.parametrize("others", ["", "specialists: {S: {models: [m]}}\nrouting: {default: S}\n"])
def test_answers_are_written_anew_by_a_tier(others: str) -> None:
    rules = "post_process: {validate: {no_contacts: true}"
    at = 2 + others.count("\n")
    expected = "post_process.validate: needs a tier that writes the answers anew; add one to tiers, or reformat"
    assert problems(f"version: 1\n{others}{rules}}}\n") == [f"{at}:16: {expected}"]
    parsed(HEAD + rules + "}\n")
    if others:
        parsed(f"version: 1\n{others}{rules}, reformat: {{tier: S, when: {{app: x}}}}}}\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("retries: {max: 70, backoff_s: 1}",
         "4:20: retries.backoff_s: doubles before each retry, to more than a day before the last one; "
         "max may be 17 with this backoff_s"),
        ("retries: {max: 2, backoff_s: 86401}",
         "4:19: retries.backoff_s: doubles before each retry, to more than a day before the last one; "
         "write a shorter backoff_s"),
        ("retries: {max: 1023}", "4:11: retries.max: must be at most 100, not 1023"),
        ("self_hosted: [{name: x, usd_per_hour: 6, count: 2000, tokens_per_s: 1}]",
         "4:25: self_hosted[0].usd_per_hour: is over $10,000 an hour for all of `count`"),
        ("self_hosted: [{name: x, usd_per_hour: 100, tokens_per_s: 0.02}]",
         "4:25: self_hosted[0].usd_per_hour: is over $1 a token at tokens_per_s"),
        ("self_hosted: [{name: x, usd_per_hour: 1, tokens_per_s: 9999, count: 1001, max_num_seqs: 1k}]",
         "4:75: self_hosted[0].max_num_seqs: is over 1,000,000 places, times `count`"),
        ("self_hosted: [{name: x, usd_per_hour: 1, tokens_per_s: 2, max_num_seqs: 256}]",
         "4:42: self_hosted[0].tokens_per_s: is under 0.01 tokens a second for each of max_num_seqs"),
    ],
)  # fmt: skip
def test_amounts_that_no_count_could_hold_are_told(text: str, expected: str) -> None:
    assert problems(HEAD + text) == [expected]


def test_the_longest_waits_are_read() -> None:
    parsed(HEAD + "retries: {max: 17, backoff_s: 1}")
    parsed(HEAD + "retries: {max: 100}")
    parsed(HEAD + "retries: {max: 1, backoff_s: 86400}")


def test_thirds_of_an_experiment_are_all_of_it() -> None:
    arms = "a: 0.3333333333333333, b: 0.3333333333333333, c: 0.3333333333333333"
    assert len(parsed(f"{HEAD}experiments: [{{name: e, unit: user, arms: {{{arms}}}}}]").experiments[0].arms) == 3
