"""What is read from a text besides its intent, and what never is."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tiers.deciding import decided, features, one, shipped

TABLE = "\n".join(f"{number}, Ana, {number * 3}, Lima" for number in range(25))
CHOICES = "Which gas do plants take in?\nA. Oxygen\nB. Carbon dioxide\nC. Helium\nD. Neon"
BUILDER = "Origen: Santiago\nDestino(s): Pucón\nPersonas: 4\nEstilo de viaje: relajado"


@pytest.mark.parametrize(
    ("text", "column", "value"),
    [
        ("uno dos-tres, cuatro", "word_count", 4),
        ("hotel con niños, vegano y sin gluten", "constraint_count", 3),
        ("presupuesto máximo 50 lucas", "constraint_count", 1),  # three wordings of one limit
        ("para cotizar y firmar el contrato por webpay", "criticality_count", 3),
        ("de Viña del Mar a Arica, con noche en La Serena", "destination_count", 3),
        ("según el informe y el PDF", "source_count", 3),
        ("¿cuántos días y cuál es el total?", "maths_count", 3),
        ("la mitad de 12", "quantity_count", 2),
        (BUILDER, "slot_count", 4),
        ("Origin: Lima; Destination: Cusco; Budget: USD 300", "slot_count", 3),
        ("Origen:\nDestino:\n", "slot_count", 0),  # not filled
        ("nota: llegamos tarde", "slot_count", 0),
        (TABLE, "table_rows", 25),
        ("|a|b|\n|-|-|\n|1|2|", "table_rows", 3),
        ("hola, qué tal", "table_rows", 0),
        (CHOICES, "choice_count", 4),
        ("def total(x):\n    return x", "has_code", True),
        ("```\nls\n```", "has_code", True),
        ("SELECT name FROM users WHERE id = 3", "has_code", True),
        ("please select a seat from the map", "has_code", False),
        ("la función empieza a las 8", "has_code", False),
        ("total = price * 2;\nprint(total);\n", "has_code", True),
        ("- leche;\n- pan;\n", "has_code", False),
        ("¿cachái dónde queda?", "register", "es-CL"),
        ("¿querís ir al tiro?", "register", "es-CL"),
        ("I paid with a gamba card, is that the problem?", "register", None),
        ("¿querés ir?", "register", None),
        ("¿Dónde está mi tarjeta?", "language", "es"),
        ("donde esta mi tarjeta", "language", "es"),
        ("where is my card", "language", "en"),
        ("Wo ist meine Karte", "language", "other"),
        ("cotizaciones", "language", "es"),
    ],
)
def test_signal(text, column, value):
    assert features(text)[0][column] == value


@pytest.mark.parametrize(
    ("text", "decision"),
    [
        (TABLE, ("C", "other", "large table")),
        (CHOICES, ("C", "reasoning", "multiple choice")),
        (BUILDER, ("B", "itinerary_short", "prompt builder")),
        (BUILDER + "\nDuración: 7 días", ("C", "itinerary_long", "stay over two days")),
        ("hotel con niños, vegano y sin auto", ("C", "other", "many constraints")),
        ("Arica, Iquique y Calama", ("C", "itinerary_long", "many destinations")),
        ("Junta lo que dicen el PDF de ventas y la planilla de costos en un texto que sirva al directorio",
         ("C", "several_sources", "several sources")),
        ("def f(x):\n  return 1", ("C", "code", "code in the message")),
        ("¿Qué noticias hay?", ("C", "external_facts", "external_facts: noticias")),
        ("quiero reservar una mesa", ("B", "lead", "lead: reservar")),
        ("el contrato", ("B", "lead", "sale or contract")),
        ("corrige el contrato", ("B", "rephrase", "rephrase: corrige*; at least B: sale or contract")),
        ("Traduce: " + "palabra " * 130, ("B", "rephrase", "rephrase: traduc*; at least B: long message")),
        ("Quiero comprar " + "palabra " * 90, ("C", "lead", "long and critical")),
        ("palabra " * 14, ("A", "other", "no cue in a short message")),
        ("palabra " * 15, ("B", "other", "no cue in a longer message")),
        ("palabra " * 121, ("C", "other", "long message")),
        ("", ("A", "other", "no cue in a short message")),
    ],
)  # fmt: skip
def test_rule(text, decision):
    assert one(text) == decision


def test_an_image_is_dear_unless_nothing_is_asked():
    assert one("mira esto", has_image=True) == ("C", "other", "image")
    assert one("gracias!", has_image=True)[0] == "A"


WORDS = st.sampled_from(
    "hola gracias si quiero reservar analiza compara contrato Pucón Arica 3 días mi por qué código horario hoy "
    "resumen corto documento the what how many is total vegano finde ñandú 👋 ¿ , . - \n".split(" ")
)
TEXTS = st.lists(st.one_of(WORDS, st.text(max_size=8)), max_size=12).map(" ".join)


@given(st.lists(TEXTS, min_size=1, max_size=8))
@settings(max_examples=20, deadline=None)
def test_a_text_is_read_the_same_alone_and_in_company(texts):
    together = shipped().features(pl.Series("text", texts, dtype=pl.String))
    alone = pl.concat([shipped().features(pl.Series("text", [text], dtype=pl.String)) for text in texts])
    assert together.equals(alone)


@given(st.lists(WORDS, max_size=12).map(" ".join))
@settings(max_examples=30, deadline=None)
def test_case_and_marks_change_no_decision(text):
    changed = "¡" + text.upper().replace("\n", "\n ") + " !!"
    before, after = decided([text, changed]).select("tier", "intent").rows()
    assert before == after


def test_neighbouring_cues_share_their_blank():
    found = features("vegano mascota celíaco", "hola hola hola")
    assert found[0]["constraint_count"] == 3
    assert found[1]["intent_cue"] == "hola"


@given(TEXTS)
@settings(max_examples=30, deadline=None)
def test_the_reason_holds_our_words_only(text):
    _, _, reason = one(text)
    content = shipped()._content
    reasons = {rule.name for rule in content.rules} | {
        f"{intent.name}: {cue}" for intent in content.intents for cue, _ in intent.cues
    }
    floors = {f"; at least {floor.at_least}: {floor.name}" for floor in content.floors}
    rest = reason
    for floor in floors:
        rest = rest.replace(floor, "")
    assert rest in reasons


def test_secrets_of_a_text_never_reach_the_decision():
    text = "cotízame algo para juan.perez@example.cl, RUT 12.345.678-5, clave Zorro99"
    said = " ".join(map(str, [*features(text)[0].values(), *one(text)])).lower()
    assert not any(part in said for part in ("juan", "perez", "12.345", "zorro"))


def test_no_text_gives_no_rows_and_an_unknown_text_no_signals():
    assert shipped().features(pl.Series("text", [], dtype=pl.String)).height == 0
    unknown = shipped().features(pl.Series("text", [None, "hola"], dtype=pl.String))
    assert unknown["word_count"].to_list() == [None, 1]
    assert unknown["intent"].to_list() == [None, "greeting"]


def test_a_short_message_on_a_long_prompt_is_not_simple_without_a_cue():
    """What the message means lies in a history or pages that the log may not show."""
    assert one("I will need the car until the 6th", input_tokens=16_000)[0] == "B"
    assert one("I will need the car until the 6th", input_tokens=400)[0] == "A"
    assert one("Hola, gracias", input_tokens=16_000)[0] == "A"
