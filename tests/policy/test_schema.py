"""The form of a policy: every wrong value is told in our words, at its place, all at once."""

from __future__ import annotations

from decimal import Decimal

import pytest

from costctl.policy.caps import UsdCap
from costctl.policy.when import BOOLEANS, NUMBERS, SHORT, TEXTS, All, Any_, Compare, Is, Not, OneOf
from costctl.tiers import fields
from tests.policy.example import parsed, problems, refused

HOW = "; it takes a figure, one of >=, <=, >, < (of counts also =), and a number such as 0.4, 40%, 3s or 5k"
HEAD = "version: 1\ntiers: {A: {models: [m]}, B: {models: [n]}}\n"


def test_all_problems_of_a_file_are_told_at_once_in_their_order() -> None:
    text = """\
version: 2
name: 7
tiers:
  A: {models: [m], temperature: warm}
  B: {models: [], modles: [x]}
routing:
  default: D
  rules:
    - {name: a, when: {inent: lead}, to: B}
    - {name: a, when: {intent: lead, input_tokens: '=>3'}, to: Z}
    - {name: c, to: A}
cache:
  exact: {ttl: 24, scope: [team, tema]}
  exact: {}
budgts: {}
gates: &g ['saving_ratio >= 0.4']
"""
    error = refused(text)
    assert error.code == "E401"
    assert error.exit_code == 2
    assert error.message == "policy.yaml:1:1: version: must be 1, not 2 (and 15 more)"
    assert error.hint.startswith("keys of a policy: version, name, tiers, specialists, routing, budgets, ")
    assert [str(one).removeprefix("policy.yaml:") for one in error.problems] == [
        "1:1: version: must be 1, not 2",
        "2:1: name: must be a text, not 7; write it in quotes",
        "4:20: tiers.A.temperature: must be a number of zero or more, not 'warm'",
        "5:7: tiers.B.models: must not be empty",
        "5:19: tiers.B.modles: unknown key, did you mean models?",
        "7:3: routing.default: no tier is named 'D'; known: A, B, logged",
        "9:24: routing.rules[0].when.inent: unknown field, did you mean intent?",
        "10:8: routing.rules[1].name: 'a' is also routing.rules[0].name; a name is the routing reason",
        "10:38: routing.rules[1].when.input_tokens: must be a number or a comparison such as '>=3', not '=>3'",
        "10:60: routing.rules[1].to: no tier is named 'Z'; known: A, B",
        "11:7: routing.rules[2].when: is missing",
        "13:11: cache.exact.ttl: must be a duration such as 24h, 15m, 90s, 500ms, 7d or 1h30m, not 24",
        "13:34: cache.exact.scope[1]: must be one of endpoint, team, user, app, model, user_profile, session, "
        "not 'tema'; did you mean team?",
        "14:3: cache.exact: stands twice; one of the two would be lost",
        "15:1: budgts: unknown key, did you mean budgets?",
        "16:8: gates: anchors (&g) are not read; write the value where it is used",
    ]


def test_one_problem_is_told_without_a_count() -> None:
    assert refused("version: 1\nname: ''").message == "policy.yaml:2:1: name: must not be empty"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: [a]", ["name: must be a text, not a list"]),
        ("name: true", ["name: must be a text, not true; write it in quotes"]),
        ("specialists: [a]", ["specialists: must be a mapping from names, not a list"]),
        ("specialists: {s: m}", ["specialists.s: must be a mapping, not 'm'"]),
        ("specialists: {s: {}}", ["specialists.s.models: is missing"]),
        ("specialists: {'': {models: [m]}}", ["specialists.: a name must not be empty"]),
        ("specialists: {s: {models: [m], name: t}}",
         ["specialists.s.name: unknown key; known: models, select, weights, max_output_tokens, context_tokens, "
          "temperature, timeout_s"]),
        ("specialists: {s: {models: gpt-4o}}",
         ["specialists.s.models: must be a list such as [openai/gpt-4o], or logged, not 'gpt-4o'"]),
        ("specialists: {s: {models: [m, m, 3]}}",
         ["specialists.s.models[2]: must be a text, not 3; write it in quotes"]),
        ("specialists: {s: {models: [m, m]}}", ["specialists.s.models[1]: stands twice in this list"]),
        ("specialists: {s: {models: [m], select: chepest}}",
         ["specialists.s.select: must be one of first, cheapest, fastest, weights, not 'chepest'; "
          "did you mean cheapest?"]),
        ("specialists: {s: {models: [m], max_output_tokens: 0}}",
         ["specialists.s.max_output_tokens: must be one or more, not 0"]),
        ("specialists: {s: {models: [m], timeout_s: 6s}}",
         ["specialists.s.timeout_s: must be a number of seconds such as 0.5, not '6s'"]),
        ("specialists: {s: {models: [m], timeout_us: 6}}",
         ["specialists.s.timeout_us: unknown key, did you mean timeout_s?"]),
        ("routing: 3", ["routing: must be a mapping, not 3"]),
        ("routing: {rules: {}}", ["routing.rules: must be a list such as [one, two], not a mapping"]),
        ("routing: {raises: []}", ["routing.raises: unknown key, did you mean raise?"]),
        ("routing: {matrix: {faq: 3}}", ["routing.matrix.faq: must be a text, not 3; write it in quotes"]),
        ("routing: {sticky: sesion}",
         ["routing.sticky: must be one of session, user, not 'sesion'; did you mean session?"]),
        ("budgets: {over_floor: 1}", ["budgets.over_floor: must be true or false, not 1"]),
        ("budgets: {over_floor: no}", ["budgets.over_floor: must be true or false, not 'no'"]),
        ("budgets: {usd_per_day: $120}",
         ["budgets.usd_per_day: must be a number of US dollars such as 0.05, not '$120'"]),
        ("budgets: {usd_per_day: [{max: x}, {team: a}, 3]}",
         ["budgets.usd_per_day[0].max: must be a number of US dollars such as 0.05, not 'x'",
          "budgets.usd_per_day[1].max: is missing",
          "budgets.usd_per_day[2]: must be a mapping such as {endpoint: name, max: 100}, not 3"]),
        ("budgets: {tokens_per_day: [{user_profle: free, max: 20k}, {endpoint: /a, user: b, max: 1}, {max: 3}]}",
         ["budgets.tokens_per_day[0].user_profle: unknown key, did you mean user_profile?",
          "budgets.tokens_per_day[1]: must name one of user_profile, endpoint, user, team",
          "budgets.tokens_per_day[2]: must name one of user_profile, endpoint, user, team"]),
        ("budgets: {tokens_per_day: [{user: 3, max: 0}]}",
         ["budgets.tokens_per_day[0].user: must be a text, not 3",
          "budgets.tokens_per_day[0].max: must be one or more, not 0"]),
        ("budgets: {max_share_per_day: {A: 45}}",
         ["budgets.max_share_per_day.A: must be a share from 0 to 1 such as 45% or 0.45, not 45"]),
        ("cache: {semantic: {serve_min: 2.4, ttl: 72}}",
         ["cache.semantic.serve_min: must be a share from 0 to 1 such as 45% or 0.45, not 2.4",
          "cache.semantic.ttl: must be a duration such as 24h, 15m, 90s, 500ms, 7d or 1h30m, not 72"]),
        ("cache: {semantic: {serve_min: 0.9, ttl: [{months: [0, 13], ttl: 1h}, {ttl: 1h}]}}",
         ["cache.semantic.ttl[0].months[0]: must be at least 1, not 0",
          "cache.semantic.ttl[0].months[1]: must be at most 12, not 13"]),
        ("cache: {semantic: {serve_min: 0.9, ttl: 1h, guard: loose}}",
         ["cache.semantic.guard: must be strict, not 'loose'"]),
        ("cache: {prompt: {providers: al}}",
         ["cache.prompt.providers: must be auto, none or a list of providers, not 'al'"]),
        ("cache: {prompt: {providers: [openai, 3]}}",
         ["cache.prompt.providers[1]: must be the name of a provider, not 3"]),
        ("cache: {exclude: [personal, 'endpont:/x', 'endpoint:']}",
         ["cache.exclude[0]: must be personal_data or a field and its text such as endpoint:/chat, not 'personal'",
          "cache.exclude[1]: unknown field, did you mean endpoint?",
          "cache.exclude[2]: must be personal_data or a field and its text such as endpoint:/chat, not 'endpoint:'"]),
        ("retries: {max: one, on: [timout]}",
         ["retries.max: must be a whole number such as 400, 8k or 5M, not 'one'",
          "retries.on[0]: must be one of timeout, rate_limit, server_error, error, not 'timout'; "
          "did you mean timeout?"]),
        ("retries: {max: 1, on: []}", ["retries.on: must not be empty"]),
        ("scenarios: {outage: {provider: x, from: '2026-03-05T14:00', for: 45}}",
         ["scenarios.outage.from: must be a time with its zone such as '2026-03-05T14:00Z', not '2026-03-05T14:00'",
          "scenarios.outage.for: must be a duration such as 24h, 15m, 90s, 500ms, 7d or 1h30m, not 45"]),
        ("gates: [saving, 3, {gate: 'saving_usd > 1', level: eror}, {level: warn}, {gate: nope}]",
         ["gates[0]: must compare a figure with a number such as 'saving_ratio >= 0.40', not 'saving'" + HOW,
          "gates[1]: must be a gate such as 'saving_ratio >= 0.40', not 3",
          "gates[2].level: must be one of error, warn, not 'eror'; did you mean error?",
          "gates[3].gate: is missing",
          "gates[4].gate: must compare a figure with a number such as 'saving_ratio >= 0.40', not 'nope'" + HOW]),
        ("assume: {output_tokens_ratio: {gpt-4o: x}, input_tokens_ratio: 0}",
         ["assume.output_tokens_ratio.gpt-4o: must be a number above zero, not 'x'",
          "assume.input_tokens_ratio: must be a number above zero, not 0"]),
        ("experiments: [{name: a, unit: usr, arms: {a: 1, b: {share: 60}}}]",
         ["experiments[0].unit: must be one of user, session, not 'usr'; did you mean user?",
          "experiments[0].arms.b.share: must be a share from 0 to 1 such as 45% or 0.45, not 60"]),
        ('"na\\nme": x', ["na\\nme: unknown key, did you mean name?"]),
    ],
)  # fmt: skip
def test_wrong_values_are_told_in_our_words(text: str, expected: list[str]) -> None:
    assert [
        line.split(": ", 1)[1] for line in problems(f"version: 1\ntiers: {{A: {{models: [m]}}}}\n{text}\n")
    ] == expected


@pytest.mark.parametrize("value", ["true", "'1'", "1.0", "2", "[1]", "one"])
def test_the_version_is_the_number_one(value: str) -> None:
    assert problems(f"version: {value}")[0].startswith("1:1: version: must be 1, not ")


def test_the_version_must_stand_in_the_file() -> None:
    assert problems("name: x") == ["1:1: version: is missing"]


def test_no_message_holds_the_words_of_the_validator() -> None:
    text = HEAD + "\n".join(
        f"{key}: {{x: [1, {{y: z}}]}}" for key in ("routing", "budgets", "limits", "cache", "export")
    )
    told = " ".join(problems(text))
    for word in ("Input", "pydantic", "http", "valid ", "type=", "Decimal("):
        assert word not in told


def when(text: str) -> object:
    """The condition of one rule."""
    return parsed(HEAD + f"routing: {{rules: [{{name: r, when: {text}, to: A}}]}}").routing.rules[0].when


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{tool_count: 0}", Compare("tool_count", "=", Decimal(0))),
        ("{temperature: '<=0.3'}", Compare("temperature", "<=", Decimal("0.3"))),
        ("{prompt_chars: '>8k'}", Compare("prompt_chars", ">", Decimal(8000))),
        ("{stream: false}", Is("stream", False)),
        ("{intent: no}", OneOf("intent", ("no",))),
        ("{endpoint: '/v1/*'}", OneOf("endpoint", ("/v1/*",))),
        ("{team: [a, b*]}", OneOf("team", ("a", "b*"))),
        ("{team_not: [a, b]}", Not(OneOf("team", ("a", "b")))),
        ("{has_code_not: true}", Not(Is("has_code", True))),
        ("{word_count_not: '>3'}", Not(Compare("word_count", ">", Decimal(3)))),
        ("{not: {team: a, stream: true}}", Not(All((OneOf("team", ("a",)), Is("stream", True))))),
        ("{app: x, any: [{team: a}, {all: [{team: b}, {stream: true}]}]}",
         All((OneOf("app", ("x",)), Any_((OneOf("team", ("a",)), All((OneOf("team", ("b",)), Is("stream", True)))))))),
        ("{any: [{team: a, app: x}]}", Any_((All((OneOf("team", ("a",)), OneOf("app", ("x",)))),))),
    ],
)  # fmt: skip
def test_conditions(text: str, expected: object) -> None:
    assert when(text) == expected
    assert hash(when(text)) == hash(expected)


@pytest.mark.parametrize("field", NUMBERS)
def test_every_number_may_be_compared(field: str) -> None:
    assert when(f"{{{field}: '>=2'}}") == Compare(field, ">=", Decimal(2))


@pytest.mark.parametrize("field", BOOLEANS)
def test_every_fact_may_be_asked(field: str) -> None:
    assert when(f"{{{field}: true}}") == Is(field, True)


@pytest.mark.parametrize("field", TEXTS)
def test_every_text_may_be_asked(field: str) -> None:
    assert when(f"{{{field}: x}}") == OneOf(field, ("x",))


@pytest.mark.parametrize(("short", "field"), SHORT.items())
def test_a_counted_signal_is_known_by_its_short_name_too(short: str, field: str) -> None:
    assert when(f"{{{short}: 1}}") == Compare(field, "=", Decimal(1))


def test_every_field_of_the_tier_rules_is_known() -> None:
    assert set(fields.NUMBERS) <= set(NUMBERS)
    assert set(fields.BOOLEANS) <= set(BOOLEANS)
    assert len({*NUMBERS, *BOOLEANS, *TEXTS, *SHORT}) == len(NUMBERS) + len(BOOLEANS) + len(TEXTS) + len(SHORT)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3", ": must be a mapping of conditions, not 3"),
        ("{}", ": must hold at least one condition"),
        ("{any: []}", ".any: must be a list of conditions, not empty"),
        ("{all: {team: a}}", ".all: must be a list of conditions, not a mapping"),
        ("{any: [{team: a}, {}]}", ".any[1]: must hold at least one condition"),
        ("{not: 3}", ".not: must be a mapping of conditions, not 3"),
        ("{stream: 'yes'}", ".stream: must be true or false, not 'yes'"),
        ("{team: 3}", ".team: must be a text or a list of texts, not 3; write it in quotes"),
        ("{team: [a, {b: c}]}", ".team[1]: must be a text or a list of texts, not a mapping"),
        ("{team: ''}", ".team: must not be empty"),
        ("{team: []}", ".team: must not be empty"),
        ("{team: a*b}", ".team: may hold * at its end only"),
        ("{teem: a}", ".teem: unknown field, did you mean team?"),
        ("{output_format: html}", ".output_format: unknown field, did you mean output_tokens?"),
    ],
)
def test_wrong_conditions(text: str, expected: str) -> None:
    (problem,) = problems(HEAD + f"routing: {{rules: [{{name: r, when: {text}, to: A}}]}}")
    assert problem.split(": ", 1)[1] == f"routing.rules[0].when{expected}"


def test_logged_stands_for_the_models_of_the_log() -> None:
    policy = parsed("version: 1\ntiers: {A: {models: logged}, B: {models: [logged]}}\nrouting: {default: logged}")
    assert [tier.models for tier in policy.tiers] == [("logged",), ("logged",)]
    assert policy.routing.default == "logged"


def test_dollar_caps_may_have_names() -> None:
    policy = parsed(HEAD + "budgets: {usd_per_day: [{max: 9.5}, {tier: B, max: 3}, {user_profile: free, max: 1}]}")
    assert policy.budgets.usd_per_day == (
        UsdCap("total", None, Decimal("9.5")),
        UsdCap("tier", "B", Decimal(3)),
        UsdCap("user_profile", "free", Decimal(1)),
    )


def test_other_forms_of_a_value() -> None:
    policy = parsed(
        HEAD + "assume: {output_tokens_ratio: {m: 1.1}, input_tokens_ratio: 2}\n"
        "gates: [{gate: 'saving_usd > -1', level: warn}]\n"
        "cache: {semantic: {serve_min: 90%, ttl: 72h}, prompt: {providers: [openai]}, exclude: ['endpoint:/x*']}\n"
        "scenarios: {volume_ratio: 2, price_ratio: {openai/*: 1.2}}\n"
        "routing: {classifier: {file: router.bin, min_confidence: 70%}}\n"
    )
    assert policy.assume.output_tokens_ratio == {"m": Decimal("1.1")}
    assert policy.assume.input_tokens_ratio == 2
    assert (policy.gates[0].metric, policy.gates[0].bound, policy.gates[0].level) == ("saving_usd", Decimal(-1), "warn")
    assert policy.cache.semantic is not None
    assert [(one.months, one.ttl_us) for one in policy.cache.semantic.ttls] == [(None, 259_200_000_000)]
    assert policy.cache.prompt is not None
    assert policy.cache.prompt.providers == ("openai",)
    assert policy.cache.exclude == ("endpoint:/x*",)
    assert policy.scenarios is not None
    assert (policy.scenarios.volume_ratio, policy.scenarios.price_ratio) == (2, {"openai/*": Decimal("1.2")})
    assert policy.routing.classifier is not None
    assert (policy.routing.classifier.file, policy.routing.classifier.min_confidence) == ("router.bin", Decimal("0.7"))
    hash(policy)


def test_keys_are_listed_once_for_each_mapping_that_holds_unknown_ones() -> None:
    text = """version: 1
tiers:
  A: {models: [m], zzz: 1, timeoutt_s: 4, qqq: 1}
  B: {models: [m], zzz: 1}
xxx: 1
kkk: 1
"""
    error = refused(text)
    keys = "models, select, weights, max_output_tokens, context_tokens, temperature, timeout_s"
    told = [str(one).partition(" ")[2] for one in error.problems]
    assert told[:4] == [
        f"tiers.A.zzz: unknown key; known: {keys}",
        "tiers.A.timeoutt_s: unknown key, did you mean timeout_s?",
        "tiers.A.qqq: unknown key; known as above",
        f"tiers.B.zzz: unknown key; known: {keys}",
    ]
    assert told[4].startswith("xxx: unknown key; known: version, name, tiers, ")
    assert told[5] == "kkk: unknown key; known as above"
    assert "keys of a policy" not in error.hint, "they are listed with xxx"
