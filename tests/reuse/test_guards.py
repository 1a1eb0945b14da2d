"""What must be equal before an answer is shared, in English and Spanish."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costctl.reuse import guard_words
from costctl.reuse.guards import guard, guard_codes

DIFFERENT = [
    ("set an alarm for 7 am", "set an alarm for 9 am"),
    ("set an alarm for 7 am", "set an alarm for 7 pm"),
    ("pon una alarma a las siete", "pon una alarma a las ocho"),
    ("cambia la alarma de 7am a 7pm", "cambia la alarma de 7pm a 7am"),
    ("can I pay with a card", "can't I pay with a card"),
    ("vuelos con escala", "vuelos sin escala"),
    ("enable the alert", "disable the alert"),
    ("what's the weather on Monday", "what's the weather on Tuesday"),
    ("¿va a llover mañana?", "¿va a llover hoy?"),
    ("recuérdame en la mañana", "recuérdame en la tarde"),
    ("una alarma cada hora", "una alarma en una hora"),
    ("remind me in 5 minutes", "remind me for 5 minutes"),
    ("recuérdame por 30 minutos", "recuérdame en 30 minutos"),
    ("flights from Paris to Rome", "flights from Rome to Paris"),
    ("el clima en madrid", "el clima en lima"),
    ("track order #A-1032", "track order #A-1033"),
    ('translate "good morning"', 'translate "good night"'),
    ("a room for $100", "a room for €100"),
    ("cuándo llega", "dónde llega"),
    ("pronóstico de la semana", "pronóstico del fin de semana"),
    ("write to ana@example.com", "write to eva@example.com"),
    ("delete all of my alarms", "delete some of my alarms"),
    ("Please delete all of the reminders for the team", "Please delete some of the reminders for the team"),
    ("cancel most of my orders", "cancel all of my orders"),
    ("Cancela todas las citas de mi agenda", "Cancela algunas de las citas de mi agenda"),
    ("borra todas mis alarmas", "borra algunas alarmas"),
    ("balance of -5 euros", "balance of 5 euros"),
    ("saldo de -$5", "saldo de $5"),
    ("send 5 kg of rice", "send 5 lb of rice"),
    ("envía 5 kilos de arroz", "envía 5 onzas de arroz"),
    ("a cable of 2 metres", "a cable of 2 feet"),
    ("cuánto son 100 mxn", "cuánto son 100 clp"),
    ("Is it safe to take with alcohol?", "Is it unsafe to take with alcohol?"),
    ("lock my account please", "unlock my account please"),
    ("bloquear mi tarjeta", "desbloquear mi tarjeta"),
    ("flight from paris to rome", "flight from rome to paris"),
    ("a train from new york to boston", "a train from boston to new york"),
    ("flight to rome from paris", "flight to paris from rome"),
    ("quiero un vuelo de lima a bogota", "quiero un vuelo de bogota a lima"),
    ("un vuelo desde lima hasta bogota", "un vuelo desde bogota hasta lima"),
    ("traduce del inglés al español", "traduce del español al inglés"),
    ("translate this from english to spanish", "translate this from spanish to english"),
    ("transfer 50 from savings to checking", "transfer 50 from checking to savings"),
]
ALIKE = [
    ("Set an alarm for seven am on Monday", "pon una alarma para las 7am del lunes"),
    ("cancela todas mis alarmas", "cancela mis alarmas"),
    ("How do I cancel my order?", "how can i cancel the order please"),
    ("I'd like to pay 1,000 dollars", "i want to pay $1000".replace("$1000", "1000 dollars")),
    ("¿Cómo está el clima hoy?", "que tal el clima hoy"),
    ("Hello, I need help", "hola, necesito ayuda"),
    ("weather in Madrid", "the weather in madrid"),
    ("send 5 kilos of rice", "send 5kg of rice"),
    ("find me some flights", "find me flights please"),
    ("flight from paris to rome", "a flight from Paris to Rome"),
    ("un vuelo de lima a bogota", "Quiero un vuelo de Lima a Bogotá"),
    ("un recordatorio de llamar a mi madre", "un recordatorio para llamar a mi madre"),
    ("¿va a nevar este fin de semana?", "¿Este fin de semana va a nevar?"),
    ("is it possible to place an order from Dublin", "can i order from Dublin"),
    ("wait until the university opens", "wait till the university opens"),
    ("rooms for 3-5 people", "a room for 3-5 people"),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_another_number_time_name_or_negation_is_another_guard(one: str, other: str) -> None:
    assert guard(one) != guard(other)


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_other_words_for_the_same_have_the_same_guard(one: str, other: str) -> None:
    assert guard(one) == guard(other)


def test_the_guard_can_be_read() -> None:
    assert (
        guard("Can't I fly from Paris to New York on May 3rd for $1,250.50?")
        == "not paris new york may 3 dollar 1250.50"
    )
    assert guard("Recuérdame mañana por la mañana ir a la tienda") == "tomorrow during am"


def test_capitals_that_only_begin_a_sentence_name_nothing() -> None:
    assert guard("Cancel it. Thanks. I am sure.") == "undo am"


def test_a_text_in_capitals_is_not_all_names() -> None:
    assert guard("WHY WAS MY CARD DECLINED TODAY") == guard("why was my card declined today")


def test_codes_are_equal_for_equal_guards_only() -> None:
    texts = [text for pair in (*DIFFERENT, *ALIKE) for text in pair]
    codes = guard_codes(texts).tolist()
    for one, first in zip(texts, codes, strict=True):
        for other, second in zip(texts, codes, strict=True):
            assert (first == second) == (guard(one) == guard(other))


@given(st.text(max_size=200))
def test_any_text_has_a_guard_and_capitals_do_not_break_it(text: str) -> None:
    assert guard(text) == guard(text)
    assert guard(" ".join(["7", text])).startswith("7") or text[:1].isalnum() or text[:1] in ".,:/-_"


def test_every_word_has_one_meaning() -> None:
    words = [word for line in guard_words._MEANINGS.split("\n") if line for word in line.split(":")[1].split()]
    assert len(words) == len(set(words))
    assert not set(words) & (guard_words.FILLERS | guard_words.LINKS)
