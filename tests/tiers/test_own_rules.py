"""A file of one's own: every key has an effect, and every fault is named with its place."""

from __future__ import annotations

import pickle
import re
from dataclasses import replace

import pytest

from costctl.cli import run
from costctl.errors import CostctlError
from costctl.tiers.fields import SIGNALS
from costctl.tiers.rules import load_rules
from costctl.tiers.schema import FIELDS, FLOOR_KEYS, INTENT_KEYS, KEYS, RULE_KEYS, SCORE_KEYS
from tests.support import ROOT
from tests.tiers.deciding import bare, one, shipped


def test_the_written_rules_stand_alone_and_decide_as_the_shipped_ones(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["init", "--tier-rules"]) == 0
    assert capsys.readouterr().err == "wrote tiers.yaml\n"
    assert [path.name for path in tmp_path.iterdir()] == ["tiers.yaml"]
    assert run(["init", "--tier-rules"]) == 2, "what is there is not written over"
    written, rules = load_rules(tmp_path / "tiers.yaml").content, load_rules().content
    assert {intent.is_own for intent in written.intents} == {True}
    kept = tuple(replace(intent, is_own=False) for intent in written.intents)
    assert replace(written, intents=kept) == rules
    # Own intents go before those that stand alone; here those are the first ones anyway.
    alone = [intent.alone for intent in rules.intents]
    assert alone == sorted(alone, reverse=True)


def test_the_page_names_every_key_and_its_example_is_read(tmp_path):
    page = (ROOT / "docs" / "tiers.md").read_text("utf-8")
    for name in {*KEYS, *INTENT_KEYS, *RULE_KEYS, *FLOOR_KEYS, *SCORE_KEYS, *SIGNALS, *FIELDS}:
        assert f"`{name}`" in page, name
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    path = tmp_path / "tiers.yaml"
    path.write_text(example, "utf-8")
    rules = load_rules(path)
    assert one("la garantía de mi horno", rules)[:2] == ("C", "warranty")
    assert one("where is my order?", rules)[:2] == ("A", "order status")


@pytest.fixture
def own(tmp_path):
    def load(text):
        path = tmp_path / "tiers.yaml"
        path.write_text(text, "utf-8")
        return load_rules(path)

    return load


@pytest.mark.parametrize(
    ("yaml", "text", "before", "after"),
    [
        # an intent, before the shipped ones
        ("intents: [{name: warranty, tier: C, cues: [garantia*]}]", "¿cuánto cuesta la garantía?",
         ("A", "faq", "faq: cuanto cuesta*"), ("C", "warranty", "warranty: garantia*")),
        # also before a greeting that stands alone
        ("intents: [{name: wave, tier: B, cues: [hola]}]", "hola",
         ("A", "greeting", "greeting: hola"), ("B", "wave", "wave: hola")),
        # of a shipped name: in its place
        ("intents: [{name: reasoning, tier: B, cues: [analiza*]}]", "compara los planes",
         ("C", "reasoning", "reasoning: compara*"), ("A", "other", "no cue in a short message")),
        ("intents: [{name: ping, tier: C, alone: true, cues: [ping]}]", "ping!",
         ("A", "other", "no cue in a short message"), ("C", "ping", "ping: ping")),
        ("intents: [{name: ping, tier: C, alone: true, cues: [ping]}]", "ping the server",
         ("A", "other", "no cue in a short message"), ("A", "other", "no cue in a short message")),
        ("intents: [{name: ping, tier: C, max_words: 2, cues: [ping]}]", "ping the server",
         ("A", "other", "no cue in a short message"), ("A", "other", "no cue in a short message")),
        ("intents: [{name: ping, tier: C, max_words: 3, cues: [ping]}]", "ping the server",
         ("A", "other", "no cue in a short message"), ("C", "ping", "ping: ping")),
        ("intents: [{name: pass, tier: C, with: [destinations], cues: [pase]}]", "pase para Arica",
         ("A", "other", "no cue in a short message"), ("C", "pass", "pass: pase")),
        ("intents: [{name: pass, tier: C, with: [destinations], cues: [pase]}]", "pase diario",
         ("A", "other", "no cue in a short message"), ("A", "other", "no cue in a short message")),
        ("intents: [{name: pass, tier: C, without: [destinations], cues: [pase]}]", "pase para Arica",
         ("A", "other", "no cue in a short message"), ("A", "other", "no cue in a short message")),
        ("intents: [{name: pass, tier: C, cues: {en: [pass], es: [pase]}}]", "pase diario",
         ("A", "other", "no cue in a short message"), ("C", "pass", "pass: pase")),
        # "no" and "yes" are words
        ("intents: [{name: refusal, tier: B, alone: true, cues: [no, yes]}]", "No.",
         ("A", "confirmation", "confirmation: no"), ("B", "refusal", "refusal: no")),
        # fillers, signals and durations are added
        ("fillers: [capitan]", "hola capitán", ("A", "other", "no cue in a short message"),
         ("A", "greeting", "greeting: hola")),
        ("signals: {destinations: [Curepto, Licantén, [Vichuquén, Llico]]}", "Curepto, Licantén y Llico",
         ("A", "other", "no cue in a short message"), ("C", "itinerary_long", "many destinations")),
        ("signals: {destinations: [Curepto]}", "Arica, Iquique y Curepto",
         ("A", "other", "no cue in a short message"), ("C", "itinerary_long", "many destinations")),
        ("durations: {9: [una novena]}", "itinerario de una novena",
         ("B", "itinerary_short", "itinerary_short: itinerario*"), ("C", "itinerary_long", "itinerary over two days")),
        # rules, before the shipped ones
        ("rules: [{name: shouting, when: {word_count: '=2'}, tier: C}]", "hola amigo",
         ("A", "greeting", "greeting: hola"), ("C", "greeting", "shouting")),
        ("rules: [{name: named anew, when: {intent: faq}, tier: intent, intent: help}]", "horario",
         ("A", "faq", "faq: horario*"), ("A", "help", "faq: horario*")),
        ("rules: [{name: either, when: {any: [{language: en}, {register: es-CL}]}, tier: B}]", "bacán po",
         ("A", "confirmation", "confirmation: bacan"), ("B", "confirmation", "either")),
        ("rules: [{name: no intent, when: {intent: '', has_text: true}, tier: B}]", "pan con queso",
         ("A", "other", "no cue in a short message"), ("B", "other", "no intent")),
        # a weighted score
        ("score: {weights: {constraint_count: 2, word_count: 0.5}, at_least: {B: 3, C: 6}}\n"
         "rules: [{name: score, tier: score}]", "vegano, por favor", ("A", "other", "no cue in a short message"),
         ("B", "other", "score")),
        ("score: {weights: {constraint_count: 2, word_count: 0.5}, at_least: {B: 3, C: 6}}\n"
         "rules: [{name: score, tier: score}]", "vegano con mascota hoy si",
         ("A", "other", "no cue in a short message"), ("C", "other", "score")),
        # the optional floor of the Chilean register
        ("floors: [{name: Chilean register, when: {register: es-CL}, at_least: B}]", "¿cachái a qué hora abren?",
         ("A", "faq", "faq: a que hora abre*"), ("B", "faq", "faq: a que hora abre*; at least B: Chilean register")),
        # nothing shipped
        ("defaults: false\nintents: [{name: any, tier: C, cues: [hola]}]\nrules: [{name: cue, tier: intent}]", "hola",
         ("A", "greeting", "greeting: hola"), ("C", "any", "any: hola")),
        ("defaults: false\nversion: 1\nintents: []", "hola", ("A", "greeting", "greeting: hola"),
         ("B", "other", "no rule")),
    ],
)  # fmt: skip
def test_key_has_an_effect(own, yaml, text, before, after):
    assert one(text) == before
    assert one(text, own(yaml)) == after


TRAIN = "El tren sale de acá y llega allá a las 7, ¿cuánto tarda en todo el viaje?"


@pytest.mark.parametrize(
    ("threshold", "text", "before", "after"),
    [
        ("long_message_words: 20", "palabra " * 21, "B", "C"),
        ("critical_message_words: 3", "quiero comprar pan hoy", "B", "C"),
        ("short_message_words: 2", "pan con queso", "A", "B"),
        ("many_constraints: 1", "menú vegano", "A", "C"),
        ("many_destinations: 1", "Arica", "A", "C"),
        ("many_sources: 1", "Junta los datos del PDF de ventas en un texto corto para la mesa de ellos", "B", "C"),
        ("large_table_rows: 1", "1;2;3\n4;5;6", "A", "C"),
        ("filled_slots: 1", "Destino: Papudo", "A", "B"),
        ("short_trip_days: 6", "itinerario de 5 días", "C", "B"),
        ("word_problem_words: 3", "¿cuánto son 2 y 3?", "A", "C"),
        ("word_problem_quantities: 1", TRAIN, "B", "C"),
        ("long_problem_words: 15", TRAIN, "B", "C"),
    ],
)  # fmt: skip
def test_threshold_has_an_effect(own, threshold, text, before, after):
    assert one(text)[0] == before
    assert one(text, own(f"thresholds: {{{threshold}}}"))[0] == after


@pytest.mark.parametrize(
    ("threshold", "request_", "before", "after"),
    [
        ("long_input_tokens: 100", {"input_tokens": 100}, "B", "C"),
        ("long_critical_tokens: 50", {"input_tokens": 100, "endpoint": "/checkout"}, "B", "C"),
        ("simple_input_tokens: 900", {"input_tokens": 900, "output_tokens": 1}, "B", "A"),
        ("simple_output_tokens: 90", {"input_tokens": 1, "output_tokens": 90}, "B", "A"),
    ],
)
def test_threshold_of_bare_numbers_has_an_effect(own, threshold, request_, before, after):
    assert bare(**request_)[0] == before
    assert bare(own(f"thresholds: {{{threshold}}}"), **request_)[0] == after


def test_every_threshold_stands_in_a_test_above():
    tested = {
        case[0].split(":")[0]
        for test in (test_threshold_has_an_effect, test_threshold_of_bare_numbers_has_an_effect)
        for case in test.pytestmark[0].args[1]
    }
    assert tested == set(shipped()._content.thresholds)


@pytest.mark.parametrize(
    ("when", "request_"),
    [
        ("turn_count: '>3'", {"turn_count": 4}),
        ("system_chars: '>=8000'", {"system_chars": 8000}),
        ("response_format: 'json*'", {"response_format": "json_schema"}),
        ("app: concierge", {"app": "concierge"}),
        ("tool_count: 2", {"tool_count": 2}),
        ("output_tokens: '<5'", {"output_tokens": 4}),
    ],
)
def test_a_rule_may_read_the_whole_request(own, when, request_):
    rules = own(f"rules: [{{name: mine, when: {{{when}}}, tier: C}}]")
    assert one("hola", rules, **request_) == ("C", "greeting", "mine")
    assert one("hola", rules)[0] == "A"


BAD = """\
intent: []
thresholds: {long_mesage_words: 3, many_sources: many}
signals:
  destination: [Arica]
  sources: [42]
intents:
  - name: mine
    tier: D
    cue: [one]
    with: [destinatons]
  - {name: other, tier: A, cues: [a*b, '??']}
rules:
  - {name: r, when: {word_cont: 3, word_count: '>=many', has_code: 1, intent: 3}, tier: A}
  - {when: {}, tier: score}
floors: [{name: f, when: {register: es-CL}, at_least: E}]
score: {weights: {intent: 1}, at_least: {B: high}}
durations: {soon: [pronto]}
defaults: maybe
version: 2
intents: []
"""


def test_all_faults_are_named_at_once_with_line_and_column(own):
    with pytest.raises(CostctlError) as caught:
        own(BAD)
    error = caught.value
    assert error.code == "E311"
    found = {(one.line, one.key): one.message for one in error.problems}
    assert found[1, "intent"] == "unknown key, did you mean intents?"
    assert found[2, "thresholds.long_mesage_words"] == "unknown threshold, did you mean long_message_words?"
    assert found[2, "thresholds.many_sources"] == "must be a whole number, zero or more"
    assert found[4, "signals.destination"] == "unknown signal, did you mean destinations?"
    assert found[5, "signals.sources[0][0]"] == "cue 42 is not text; write it in quotes"
    assert found[13, "rules[0].when.word_cont"] == "unknown field, did you mean word_count?"
    assert found[13, "rules[0].when.word_count"].startswith("unknown threshold")
    assert found[13, "rules[0].when.has_code"] == "must be true or false"
    assert found[13, "rules[0].when.intent"] == "must be a text or a list of texts"
    assert found[14, "rules[1]"] == "needs name"
    assert found[15, "floors[0].at_least"] == "unknown tier; known: A, B, C"
    assert found[16, "score.weights.intent"].startswith("unknown key")
    assert found[16, "score.at_least.B"] == "must be a number"
    assert found[17, "durations.soon"] == "must be a whole number, zero or more"
    assert found[18, "defaults"] == "must be true or false"
    assert found[19, "version"] == "must be 1"
    assert found[20, "intents"] == "stands twice"
    place = next(one for one in error.problems if one.key == "thresholds.many_sources")
    assert (place.line, place.column) == (2, 36)
    assert str(place).endswith("tiers.yaml:2:36: thresholds.many_sources: must be a whole number, zero or more")


def test_faults_of_intents_are_named(own):
    with pytest.raises(CostctlError) as caught:
        own(BAD.removesuffix("intents: []\n"))
    found = {(one.line, one.key): one.message for one in caught.value.problems}
    assert found[7, "intents[0]"] == "needs cues"
    assert found[8, "intents[0].tier"] == "unknown tier; known: A, B, C"
    assert found[9, "intents[0].cue"] == "unknown key, did you mean cues?"
    assert found[10, "intents[0].with[0]"] == "unknown signal, did you mean destinations?"
    assert found[11, "intents[1].cues[0]"] == "cue may hold * at its end only"
    assert found[11, "intents[1].cues[1]"] == "cue without a word"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("intents: [", "tiers.yaml:1:11: expected the node content, but found '<stream end>'"),
        ("a: 1\nb: : 2", "tiers.yaml:2:4: mapping values are not allowed here"),
        ("- one", "are not a mapping"),
        ("", "are not a mapping"),
    ],
)
def test_what_is_no_rule_file_is_refused(own, text, message):
    with pytest.raises(CostctlError) as caught:
        own(text)
    assert caught.value.code == "E310"
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["signals: []", "intents: {a: 1}", "rules: [one]", "thresholds: 3", "durations: [1]"])
def test_parts_of_the_wrong_shape_are_refused(own, text):
    with pytest.raises(CostctlError) as caught:
        own(text)
    assert caught.value.code == "E311"


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(CostctlError) as caught:
        load_rules(tmp_path / "none.yaml")
    assert caught.value.code == "E310"


def test_digest_follows_the_content_and_rules_can_be_sent_to_workers(own):
    mine, other = own("fillers: [capitan]"), own("fillers: [comandante]")
    assert len({shipped().digest, mine.digest, other.digest}) == 3
    assert load_rules().digest == shipped().digest
    sent = pickle.loads(pickle.dumps(mine))
    assert sent.digest == mine.digest
    assert one("hola capitán", sent) == ("A", "greeting", "greeting: hola")


def test_description_names_every_intent_with_tier_and_cues():
    described = shipped().describe()
    assert ("code", "C") in {(name, tier) for name, tier, _ in described}
    assert described[0][2].startswith("hola, holi, ")
