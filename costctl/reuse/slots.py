"""What a travel request fills in, in English and Spanish: where from, where to, how long, for how much, what for.

Parts of the key of a semantic cache. What a text does not say stays open, and an open slot never equals a
filled one, so a slot that is missed can only cost a hit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_NAME = r"((?:[A-ZÁÉÍÓÚÑ][\wáéíóúñü'-]*)(?:\s+(?:de|del|la|las|los|el|of|the)?\s*[A-ZÁÉÍÓÚÑ][\wáéíóúñü'-]*){0,3})"
_FROM = re.compile(rf"\b(?:[Ff]rom|[Dd]esde|[Ss]aliendo de|[Dd]eparting from|[Ll]eaving)\s+{_NAME}")
_TO = re.compile(
    rf"\b(?:[Tt]o|[Ii]nto|[Ii]n|[Hh]acia|[Hh]asta|[Aa]|[Ee]n|[Pp]or|[Pp]ara|[Vv]isit|[Vv]isitar|[Cc]onocer)\s+{_NAME}"
)
_LENGTH = re.compile(r"\b(\d{1,3}|[a-zé]+)[\s-]*(days?|d[ií]as?|nights?|noches?|weeks?|semanas?)\b", re.IGNORECASE)
_BUDGET = re.compile(
    r"(?:\$|€|£|\b(?:usd|eur|clp|us\$))\s?(\d[\d.,]*)(\s?(?:k|mil|thousand)\b)?"
    r"|\b(\d[\d.,]*)(\s?(?:k|mil|thousand))?\s?(?:usd|dollars?|d[oó]lares|euros?|eur|pesos|clp|€)",
    re.IGNORECASE,
)
_NUMBERS: Mapping[str, int] = {
    "a": 1, "one": 1, "un": 1, "una": 1, "two": 2, "dos": 2, "three": 3, "tres": 3, "four": 4, "cuatro": 4, "five": 5,
    "cinco": 5, "six": 6, "seis": 6, "seven": 7, "siete": 7, "eight": 8, "ocho": 8, "nine": 9, "nueve": 9, "ten": 10,
    "diez": 10, "quince": 15, "fifteen": 15,
}  # fmt: skip
_INTERESTS: Mapping[str, str] = {
    "adventure": "adventure aventura aventuras", "art": "art arte", "beach": "beach beaches playa playas",
    "culture": "culture cultural cultura", "diving": "diving snorkel buceo", "family": "family kids familia niños",
    "food": "food gastronomy restaurants gastronomia gastronomía comida restaurantes",
    "hiking": "hiking trekking senderismo caminatas", "history": "history historical historia historico histórico",
    "museums": "museum museums museo museos", "music": "music música musica concert concierto",
    "nature": "nature naturaleza wildlife", "nightlife": "nightlife bars clubs fiesta",
    "romance": "romantic honeymoon romántico romantico", "shopping": "shopping compras",
    "ski": "ski skiing esquí esqui",
    "wine": "wine wineries vino viñas vinos",
}  # fmt: skip
_INTEREST_OF = {word: name for name, words in _INTERESTS.items() for word in words.split()}
_WORD = re.compile(r"[^\W\d_]+")


def _origin(text: str) -> str | None:
    found = _FROM.search(text)
    return found[1].casefold() if found else None


def _destination(text: str) -> str | None:
    found = _TO.search(_FROM.sub(" ", text))
    return found[1].casefold() if found else None


def _interests(text: str) -> str | None:
    named = {_INTEREST_OF[word] for word in _WORD.findall(text.casefold()) if word in _INTEREST_OF}
    return " ".join(sorted(named)) or None


def _duration_days(text: str) -> str | None:
    for number, unit in _LENGTH.findall(text):
        count = int(number) if number.isdecimal() else _NUMBERS.get(number.casefold())
        if count is not None:
            return str(count * (7 if unit.casefold().startswith(("w", "s")) else 1))
    return None


def _budget(text: str) -> str | None:
    found = _BUDGET.search(text)
    if not found:
        return None
    digits = re.sub(r"\D", "", re.sub(r"[.,]\d{1,2}$", "", found[1] or found[3]))
    return digits + ("000" if found[2] or found[4] else "")


SLOTS: Mapping[str, Callable[[str], str | None]] = {
    "origin": _origin, "destination": _destination, "interests": _interests, "duration_days": _duration_days,
    "budget": _budget,
}  # fmt: skip
"""Name of a slot -> what a text fills in, None where it says nothing."""


def slot(name: str, text: str) -> str | None:
    """One slot of a text.

    >>> text = "Quiero ir desde Santiago a San Pedro de Atacama por 5 días con US$1.200, nos gusta la playa y el vino"
    >>> [slot(name, text) for name in SLOTS]
    ['santiago', 'san pedro de atacama', 'beach wine', '5', '1200']
    >>> [slot(name, "Two weeks in Peru from New York for 2k dollars") for name in SLOTS]
    ['new york', 'peru', None, '14', '2000']
    """
    return SLOTS[name](text)
