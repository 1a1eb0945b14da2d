"""Greetings, confirmations, frequent questions and small chores are A, however they are typed."""

from __future__ import annotations

import unicodedata
from itertools import product

import pytest

from tests.tiers.deciding import decided, one, wrong

GREETINGS = [
    "hola", "holi", "hola po", "wena", "wenas", "buenas", "buenos días", "buen día", "buenas tardes", "buenas noches",
    "qué tal", "cómo estás", "cómo estái", "qué onda", "aló", "saludos", "chao", "chau", "adiós", "nos vemos",
    "hasta luego", "gracias", "muchas gracias", "te pasaste", "hi", "hello", "hey", "good morning", "good evening",
    "how are you", "thanks", "thank you so much", "bye", "see you later", "have a nice day",
]  # fmt: skip
CONFIRMATIONS = [
    "sí", "sip", "sipo", "ya", "ya po", "dale", "listo", "ok", "okey", "oka", "vale", "de acuerdo", "perfecto",
    "correcto", "exacto", "así es", "eso mismo", "claro", "obvio", "por supuesto", "confirmo", "confirmado",
    "me parece", "me tinca", "bacán", "bakán", "filete", "impecable", "de una", "entendido", "anotado", "no", "nopo",
    "no gracias", "mejor no", "todavía no", "filo", "yes", "yep", "sure", "okay", "got it", "sounds good", "of course",
    "agreed", "not yet", "no thanks", "go ahead",
]  # fmt: skip
QUESTIONS = [
    "horario", "horario de atención", "a qué hora abren", "a qué hora cierran", "cuánto cuesta", "cuánto vale",
    "cuánto sale", "cuál es el precio", "estado de mi pedido", "dónde está mi pedido", "dónde va mi pedido",
    "seguimiento", "cómo cancelo", "cómo anulo", "darme de baja", "devolución", "reembolso", "dónde quedan",
    "teléfono de contacto", "opening hours", "what time do you open", "what time do you close", "how much is it",
    "how much does it cost", "what is the price", "order status", "where is my order", "track my order",
    "how do I cancel", "unsubscribe", "refund", "return policy", "where are you located", "contact phone number",
]  # fmt: skip
CHORES = [
    "reformula", "reescribe", "redacta de nuevo", "parafrasea", "dilo de otra forma", "con otras palabras", "más corto",
    "más formal", "más cercano", "corrige", "corrige la ortografía", "mejora la redacción", "acorta",
    "tradúceme esta frase", "resume en una frase", "resume en pocas líneas", "resumen corto", "extrae",
    "saca los montos",
    "identifica los campos", "obtén los nombres", "lista los nombres", "lista las fechas", "detecta", "rellena",
    "completa los campos", "pásalo a JSON", "clasifica", "etiqueta los correos", "valida", "verifica el RUT",
    "verifica la fecha", "revisa si falta algo", "es válido", "formato correcto", "dale formato", "ponlo en tabla",
    "rephrase this", "make it shorter", "fix the grammar", "translate this sentence", "short summary",
    "extract the names", "classify this", "check if the email is valid", "convert it to JSON",
]  # fmt: skip


def _plain(text: str) -> str:
    """Without accents, as typed in a hurry; ñ stays."""
    kept = unicodedata.normalize("NFD", text.replace("ñ", "\0"))
    return "".join(letter for letter in kept if not unicodedata.combining(letter)).replace("\0", "ñ")


TYPED = {
    "as it is": lambda text: text,
    "capitals": str.upper,
    "no accents": _plain,
    "decomposed accents": lambda text: unicodedata.normalize("NFD", text),
    "marks": lambda text: f"¡¡{text.capitalize()}!!...",
    "asked": lambda text: f"¿{text}???",
    "emoji": lambda text: f"{text} 👋🏽😊",
    "lines": lambda text: f"\n  {text}\r\n",
}


@pytest.mark.parametrize("typed", TYPED.values(), ids=TYPED)
@pytest.mark.parametrize(
    "cues", [GREETINGS, CONFIRMATIONS, QUESTIONS, CHORES], ids=["greeting", "confirmation", "faq", "chore"]
)
def test_every_cue_as_a_message_is_simple(cues, typed):
    assert wrong([typed(cue) for cue in cues], "A") == []


def test_greetings_beside_each_other_and_a_confirmation_are_simple():
    pairs = [f"{first}, {second}" for first, second in product(GREETINGS + CONFIRMATIONS, repeat=2)]
    assert wrong(pairs, "A") == []


def test_a_greeting_before_a_frequent_question_is_simple():
    asked = [f"{hello}! {question}?" for hello, question in product(GREETINGS, QUESTIONS)]
    assert wrong(asked, "A") == []
    assert set(decided(asked)["intent"]) == {"faq"}


@pytest.mark.parametrize(
    "text",
    [
        "holaaaa", "graciasss!!", "siii", "Oka, bacán, muchas gracias por todo", "jajaja ok", "gracias, muy amable 🙏",
        "perfecto, muchas gracias, que tengas un buen día", "buen día estimados", "si, dale po",
        "Hello team, thanks for the quick reply",
        "Thank you so much for your help!", "no gracias, todavía no",
    ],
)  # fmt: skip
def test_courtesy_is_simple_and_known_as_such(text):
    tier, intent, _ = one(text)
    assert tier == "A"
    assert intent in {"greeting", "confirmation"} or "que tengas" in text


def test_two_hundred_characters_of_thanks_are_simple():
    text = "Muchas gracias por todo, de verdad muy amables. " * 5
    assert len(text) > 200
    assert one(text) == ("A", "greeting", "greeting: muchas gracias")


@pytest.mark.parametrize(
    "text",
    [
        "¿A qué hora abren los sábados?", "oye po, ¿cuánto sale el pase diario?", "che, decime a qué hora cierran",
        "Hola! cuanto cuesta el tour a Valparaíso?", "¿Cómo cancelo mi reserva?", "tengo un código de descuento",
        "hi, how much does the day pass cost?", "Can you tell me your opening hours?", "How do I reset my password?",
        "where's my order?", "What’s the price?",
    ],
)  # fmt: skip
def test_frequent_questions_in_other_words(text):
    assert one(text)[:2] == ("A", "faq")
