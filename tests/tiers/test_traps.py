"""Where length or a single word would mislead."""

from __future__ import annotations

import pytest

from tests.tiers.deciding import features, one


@pytest.mark.parametrize(
    ("text", "tier", "intent"),
    [
        # short and hard
        ("Redacta un contrato legal complejo", "C", "drafting"),
        ("redáctame un contrato de arriendo", "C", "drafting"),
        ("necesito que me redactes un contrato", "C", "drafting"),
        ("Write a complex legal contract", "C", "drafting"),
        ("Analízame este contrato", "C", "reasoning"),
        ("ANALIZAME ESTE CONTRATO", "C", "reasoning"),
        ("podés analizar este contrato?", "C", "reasoning"),
        ("Compárame estos planes", "C", "reasoning"),
        ("Explícanos en detalle la diferencia entre A y B", "C", "reasoning"),
        ("¿Por qué el cielo es azul?", "C", "reasoning"),
        ("why do cats purr?", "C", "reasoning"),
        ("Solve x^2+3x-4=0", "C", "maths"),
        ("Resuelve x^2+3x-4=0", "C", "maths"),
        ("2x+5=11, find x", "C", "maths"),
        ("2x+5=11, encuentra x", "C", "maths"),
        ("resuelve 3x-7=2", "C", "maths"),
        ("solve 3x-7=2", "C", "maths"),
        ("halla el valor de x en 4x=12", "C", "maths"),
        ("integral de x^2", "C", "maths"),
        ("integrate x^2 from 0 to 1", "C", "maths"),
        ("find me an iphone x", "B", "recommendation"),
        ("resuelve mi problema", "A", "other"),
        ("Janet has 3 apples and gives 1 away. How many are left?", "C", "maths"),
        ("Ana tiene 3 manzanas y regala 1. ¿Cuántas le quedan?", "C", "maths"),
        ("¿Cuántos días tengo para devolver?", "A", "faq"),
        # why about one's own matter is support, yet never the cheapest
        ("¿Por qué me rechazaron la tarjeta?", "B", "reasoning"),
        ("Why was my card declined?", "B", "reasoning"),
        # sharing and extras are not comparing and extracting
        ("quiero compartir una foto", "A", "other"),
        ("un extranjero extraño", "A", "other"),
        # code that is none
        ("código de descuento", "A", "faq"),
        ("¿Cuál es el código postal?", "A", "faq"),
        ("my promo code does not work", "A", "faq"),
        ("write a python function that sorts a list", "C", "code"),
        ("escribe un código en JavaScript", "C", "code"),
        # a short summary, and a long document
        ("Hazme un resumen corto de este párrafo", "A", "short_summary"),
        ("Dame un resumen corto de este documento de 200 páginas", "B", "summary"),
        ("Summarize this long report", "B", "summary"),
        # a confirmation only alone
        ("si", "A", "confirmation"),
        ("¿me confirmas si llega el lunes?", "A", "other"),
        ("Hola, necesito 12 días de viaje por el sur", "C", "itinerary_long"),
        ("Dale, cotízame el tour", "B", "lead"),
        # changing a contract is cheap work on a dear matter
        ("corrige este contrato", "B", "rephrase"),
        # buses keep hours, and those are facts
        ("horario de buses a Pucón", "C", "external_facts"),
        ("¿Qué vuelos hay hoy?", "C", "external_facts"),
        ("¿A qué hora abren hoy?", "A", "faq"),
        ("recuérdame comprar pan hoy", "A", "other"),
        # amounts are one number each
        ("$150.000", "A", "other"),
        ("son 1.500.000 pesos?", "A", "other"),
        ("2 lucas", "A", "other"),
        # existing text into a form, and a new answer in it
        ("pásalo a HTML", "A", "reformat"),
        ("Dame una página web de bienvenida en HTML", "B", "html_answer"),
        ("not sure what I want, something like that", "C", "ambiguity"),
        ("según mi perfil, ¿cuál plan calza con lo mío?", "B", "matching"),
    ],
)
def test_trap(text, tier, intent):
    assert one(text)[:2] == (tier, intent)


@pytest.mark.parametrize(
    ("text", "count"),
    [("$150.000", 1), ("1.500.000", 1), ("1,5", 1), ("15:00 hrs", 1), ("3/4", 1), ("2 lucas", 1), ("2 o 3", 2)],
)
def test_a_number_with_its_marks_is_one_quantity(text, count):
    assert features(text)[0]["quantity_count"] == count


@pytest.mark.parametrize(
    ("text", "days", "tier"),
    [
        ("itinerario para el finde en Pucón", 2, "B"),
        ("Itinerario de dos días en Valparaíso", 2, "B"),
        ("plan a 2 day trip to Rome", 2, "B"),
        ("escapada de un par de días", 2, "B"),
        ("itinerario de 5 días por Chiloé", 5, "C"),
        ("itinerario de una semana", 7, "C"),
        ("itinerario de 2 semanas", 14, "C"),
        ("itinerario de una quincena", 15, "C"),
        ("itinerario de quince días", 15, "C"),
        ("3 weeks itinerary for Peru", 21, "C"),
        ("itinerario para el 18", None, "B"),
        ("itinerario multidestino", None, "C"),
        ("road trip por la Carretera Austral", None, "C"),
        ("Santiago, La Serena y Arica", None, "C"),
    ],
)
def test_an_itinerary_is_dear_above_two_days_or_with_several_stops(text, days, tier):
    assert features(text)[0]["travel_days"] == days
    assert one(text)[0] == tier


def test_two_weeks_of_waiting_are_no_journey():
    assert one("What can I do if my card still has not arrived after 2 weeks?")[0] != "C"


@pytest.mark.parametrize(
    "text",
    [
        "A shop sells 3 apples for 2 dollars. If Ana buys 12 apples and pays with 20 dollars, how much change is left?",
        "Una tienda vende 3 manzanas por 2 dólares. Si Ana compra 12 y paga con 20 dólares, ¿cuánto vuelto recibe?",
        "Luis is twice as old as Eva, and in ten years they will be fifty together. How old is Eva?",
        "Luis tiene el doble de edad que Eva y en diez años sumarán cincuenta entre ambos. ¿Qué edad tiene Eva?",
    ],
)
def test_a_word_problem_is_dear_in_both_languages(text):
    assert one(text)[:2] == ("C", "maths")


FORMULAS = [
    "x^2 - 4 = 0", "∫ x dx", "∫₀¹ x² dx", "resuelve: 3x+2=11", "2x + 3 = 7", "x² + 5x + 6 = 0", "3x - 7 = 11",
    "solve: x^2-5x+6=0", "\\int_0^1 x^2 dx", "y = 2x + 1", "lim x->0 sin(x)/x", "calcula: 5x = 20", "∫ sen(x) dx",
    "d/dx x^3", "f(x) = x^2", "2x+3y=12; x-y=1", "\\frac{1}{2} + \\sqrt{2}", "¿cuánto es x si 2x=8?", "solve 7-2x=1",
]  # fmt: skip


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_maths(text):
    assert one(text)[:2] == ("C", "maths")


def test_a_formula_alone_is_of_no_language():
    assert [row["language"] for row in features("2x + 3 = 7", "∫ x dx", "x^2 - 4 = 0")] == ["other"] * 3


TIMES = ["x", "2x", "2 x 2", "5", "ok 2", "2x1 en pizzas", "pizza x 2", "quiero 2x 500g de pan", "10 x 15", "mesa x 4",
         "gracias x todo", "dx", "coca x 2 4 pizzas", "2x $500"]  # fmt: skip


@pytest.mark.parametrize("text", TIMES)
def test_a_count_with_an_x_is_no_formula(text):
    assert one(text)[0] == "A"
