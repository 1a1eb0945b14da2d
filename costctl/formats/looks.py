"""What a column looks like: the words of its name in English and Spanish, and the kind of its values.

A guess needs both: a name that speaks of the field, and values that the field can take. Only names and kinds are
looked at; no value leaves this module.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any, NamedTuple

from costctl.formats.base import Path
from costctl.formats.convert import decimals, numbers
from costctl.formats.instants import any_day, instants

SURE_SHARE = 0.9  # of a column's values that must be of the kind of the field
_PIECES = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_MODEL = re.compile(
    r"(^|[/.:_-])(gpt|chatgpt|o[1-9](-|$)|claude|gemini|gemma|llama|mistral|mixtral|codestral|ministral|qwen|deepseek"
    r"|command-|grok|nova-|titan|phi-|kimi|glm|sonar|text-embedding|davinci|jamba|yi-)", re.IGNORECASE
)  # fmt: skip
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
_LOCAL = re.compile(r"-?[1-9]\d{0,2}(\.\d{3})+(,\d+)?|-?\d+,(\d{1,2}|\d{4,})|-?0,\d+")
_LOCAL_OR_WHOLE = re.compile(r"-?\d+(,\d+)?|-?[1-9]\d{0,2}(\.\d{3})+(,\d+)?")
_UNIT = re.compile(r"\d\s*(ms|msec|s|secs?|seconds?|m|min)$", re.IGNORECASE)
EPOCH_MIN, EPOCH_MAX = 1_300_000_000, 4_100_000_000  # seconds: 2011 to 2099


def words(key: str) -> frozenset[str]:
    """The words of a name, without case and accents.

    >>> sorted(words("tokensEntrada")), sorted(words("Duración_ms"))
    (['entrada', 'tokens'], ['duracion', 'ms'])
    """
    plain = unicodedata.normalize("NFKD", key).encode("ascii", "ignore").decode()
    return frozenset(piece.lower() for piece in _PIECES.findall(plain))


class Look(NamedTuple):
    """What a field is called: one of `named` in the column's own name or above it, and none of `never`.

    `beside` are further words that make the guess better; `is_alone_enough` tells whether it does without them.
    """

    field: str
    kind: str
    named: frozenset[str]
    beside: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()
    is_alone_enough: bool = True


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words of one piece that mean tokens and a side at once.
_IN_SHORT, _OUT_SHORT = _set("ptok ptoks itok itoks intok intoks"), _set("ctok ctoks otok otoks outtok outtoks")
_TOKEN = _set("tokens token tok toks tk tks tkn tkns fichas ficha usage uso consumo count cnt num cantidad n nb")
_IN = _IN_SHORT | _set(
    "input inputs inp prompt prompts entrada entradas entrantes in sent enviados context contexto ctx pregunta "
    "consulta request eingabe"
)
_OUT = _OUT_SHORT | _set("output outputs outp completion completions compl salida salidas salientes out generated "
                         "generation gen generados respuesta response resp answer ans reply candidates received "
                         "recibidos ausgabe sortie")  # fmt: skip
_CACHED = _set("cached cache cacheado cacheados cacheada cacheadas caches")
_WRITE = _set("write written writes creation created creacion creados escritura escritos escritas")
_REASONING = _set("reasoning razonamiento thinking pensamiento thoughts thought")
_TOTAL = _set("total totales suma sum gesamt overall")
_MONEY = _set("cost costo costos coste costes price precio spend gasto amount importe monto usd dollars dolares eur "
              "euros charge cargo kosten cout")  # fmt: skip
_DURATION = _set("latency latencia duration duracion elapsed demora tardanza took dauer duree runtime latenz")
LENGTH = _set("length longitud len size")  # of tokens, or of characters
_SIZE = _set("chars caracteres characters bytes words palabras")
_LIMIT = _set("max maximo limit limite budget presupuesto min")
_FIRST = _set("first primer primero ttft")
_ENDED = _set("end ended fin final finish finished completed finalizado terminado termino hasta stop")
_NO_COUNT = _MONEY | _DURATION | _SIZE | _LIMIT | LENGTH | _set("id hash key rate ms per ratio speed velocidad "
                                                                "time tiempo")  # fmt: skip
_NO_REQUESTS = (_MONEY | _DURATION | _LIMIT | LENGTH | _SIZE | _CACHED | _set(
    "id ids hash key rate per ratio tool tools function functions failed error errors tokens token retry retries web "
    "search cache turn turns status code http time remaining ratelimit concurrent active pending queue queued waiting "
    "running flight inflight")) - _set("total")  # fmt: skip
_ID = _set("id uuid guid identificador identifier uid")
_ANSWER = _OUT | _set("result resultado")

LOOKS: tuple[Look, ...] = (
    Look("request_model", "text", _set("model modelo modele modell mdl engine motor llm deployment despliegue"),
         _set("name nombre id request"), _set("provider proveedor version tokens max type tipo")),
    Look("input_tokens", "count", _IN, _TOKEN | _IN_SHORT,
         (_NO_COUNT - LENGTH) | _CACHED | _OUT - _IN | _REASONING, False),
    Look("output_tokens", "count", _OUT, _TOKEN | _OUT_SHORT,
         (_NO_COUNT - LENGTH) | _CACHED | _IN - _OUT | _REASONING, False),
    Look("cache_read_tokens", "count", _CACHED, _TOKEN | _IN | _set("read reads hit leidos lectura"),
         _NO_COUNT | _WRITE | _TOTAL | _OUT),
    Look("cache_write_tokens", "count", _WRITE, _TOKEN | _CACHED, _NO_COUNT | _TOTAL | _set("at by"), False),
    Look("reasoning_tokens", "count", _REASONING, _TOKEN, _NO_COUNT | _TOTAL),
    # A column of such counts makes each row a sum; one of single calls alone says nothing and is left out.
    Look("aggregate_request_count", "count", _set("requests calls llamadas peticiones solicitudes anfragen requetes"),
         _set("num number n count cnt total cantidad model numero"), _NO_REQUESTS),
    Look("aggregate_request_count", "count", _set("request call llamada peticion solicitud"),
         _set("num number n count cnt cantidad numero"), _NO_REQUESTS, False),
    Look("total_tokens", "count", _TOTAL, _TOKEN, _NO_COUNT | _IN | _OUT, False),
    Look("started_at", "time",
         _set("time timestamp ts date fecha hora when cuando created creado started start inicio begin momento "
              "instante datetime datum heure logged requested at"),
         _set("utc start inicio created request"),
         _ENDED | _DURATION | _FIRST | _set("ttl expires updated actualizado token tokens birth nacimiento")),
    Look("ended_at", "time", _ENDED, _set("time at fecha hora timestamp ts"),
         _DURATION | _FIRST | _set("token reason")),
    Look("latency_ms", "duration", _DURATION | _set("ms time tiempo response"),
         _DURATION | _set("ms s seconds segundos milisegundos total"),
         _FIRST | _LIMIT | _MONEY | _set("tokens token timestamp offset ttl stamp timeout rate code status"), False),
    Look("time_to_first_token_ms", "duration", _set("ttft first primer"), _set("token ms time tiempo latency latencia"),
         _LIMIT | _MONEY, False),
    Look("user_id", "name",
         _set("user usuario usuaria customer cliente client account cuenta member miembro uid benutzer utilisateur"),
         _ID, _set("agent profile perfil plan tier message mensaje prompt text texto question content name tokens")),
    Look("session_id", "name", _set("session sesion conversation conversacion chat thread hilo dialogo dialog"),
         _ID, _set("text texto tokens count n turn turno type model modelo message")),
    Look("request_id", "unique", _ID | _set("request peticion solicitud llamada"), _ID,
         _set("user usuario session sesion conversation conversacion trace traza parent padre model modelo key tokens "
              "customer cliente team equipo chat thread"), False),
    Look("http_status", "http", _set("status estado code codigo http"), _set("http code codigo response"),
         _set("tokens")),
    Look("status", "few", _set("status estado outcome resultado result success exito ok state"), frozenset(),
         _set("code codigo tokens")),
    Look("error_type", "few", _set("error excepcion exception fallo fehler"), _set("type tipo code codigo"),
         _set("count rate message mensaje")),
    Look("logged_cost", "money", _MONEY, _set("total usd request llamada"),
         _set("tokens token per por unit unitario rate tarifa currency moneda id model")),
    Look("logged_currency", "currency", _set("currency moneda divisa wahrung devise")),
    Look("endpoint", "few", _set("endpoint route ruta path feature funcion url accion action operacion"), frozenset(),
         _set("tokens model")),
    Look("app", "few", _set("app application aplicacion service servicio"), frozenset(), _set("tokens tier version")),
    Look("provider", "few", _set("provider proveedor vendor anbieter")),
    Look("team", "few", _set("team equipo department departamento")),
    Look("messages", "prose",
         _set("prompt messages mensajes mensaje message question pregunta query consulta input entrada text texto "
              "content contenido frage"), _set("user usuario"), _set("system sistema error id tokens model") | _ANSWER),
    Look("response_text", "prose", _ANSWER, _set("text texto content contenido"), _set("error id tokens model")),
    Look("system", "prose", _set("system sistema instructions instrucciones"), frozenset(), _set("error id")),
)  # fmt: skip


def is_of(kind: str, values: Sequence[Any]) -> bool:
    """Whether nearly all values that there are can be of that kind.

    Kinds: count, duration, money, time, http, text, name, few (names that recur), unique, prose, currency.
    """
    present = [value for value in values if value is not None and value != ""]
    return bool(present) and _KINDS[kind](present)


def looks_like_models(values: Sequence[Any]) -> bool:
    """Whether most texts name a model of a family that is known."""
    texts = [value for value in values if isinstance(value, str) and value]
    return bool(texts) and sum(bool(_MODEL.search(text)) for text in texts) * 2 > len(texts)


def are_moments(values: Sequence[Any]) -> bool:
    """Whether nearly all values are texts of a day and a time.

    >>> are_moments(["2026-03-02T10:00:00Z", None]), are_moments(["2026-03-02", "10:00"])
    (True, False)
    """
    present = [value for value in values if value is not None and value != ""]
    return bool(present) and _most(present, sum(isinstance(one, str) and bool(_MOMENT.match(one)) for one in present))


def have_local_numbers(values: Sequence[Any]) -> bool:
    """Whether numbers group thousands with dots or begin decimals with commas, as in 1.200 and 0,5.

    >>> have_local_numbers(["1.200", "900"]), have_local_numbers(["0,5", "12"]), have_local_numbers(["0.5", "1,200"])
    (True, True, False)
    """
    texts = [value.strip() for value in values if isinstance(value, str) and value.strip()]
    return any(map(_LOCAL.fullmatch, texts)) and all(map(_LOCAL_OR_WHOLE.fullmatch, texts))


def has_units(values: Sequence[Any]) -> bool:
    """Whether the values are texts that name their unit of time."""
    texts = [value.strip() for value in values if isinstance(value, str) and value.strip()]
    return bool(texts) and sum(bool(_UNIT.search(text)) for text in texts) >= SURE_SHARE * len(texts)


def _most(values: Sequence[Any], count: int) -> bool:
    return count >= SURE_SHARE * len(values)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _are_counts(values: Sequence[Any]) -> bool:
    found = [_number(value) for value in values]
    return _most(values, sum(one is not None and 0 <= one < 1e9 and one == int(one) for one in found))


def _are_durations(values: Sequence[Any]) -> bool:
    if has_units(values):
        return True
    read, _ = numbers("latency_ms", [None if isinstance(value, bool | list | dict) else value for value in values])
    return _most(values, int(((read >= 0) & (read < EPOCH_MIN)).sum()))


def _are_amounts(values: Sequence[Any]) -> bool:
    read, _ = decimals("logged_cost", values)
    return _most(values, len(values) - read.null_count())


def _are_times(values: Sequence[Any]) -> bool:
    found = [_number(value) for value in values]
    if all(one is None for one in found):
        read, _ = instants("started_at", [any_day(value) if isinstance(value, str) else None for value in values])
        return _most(values, len(values) - read.null_count())
    return _most(values, sum(one is not None and _is_epoch(one) for one in found))


def _is_epoch(value: float) -> bool:
    return any(EPOCH_MIN * unit <= value < EPOCH_MAX * unit for unit in (1, 1e3, 1e6, 1e9))


def _are_http(values: Sequence[Any]) -> bool:
    found = [_number(value) for value in values]
    return all(one is not None and one == int(one) and 100 <= one <= 599 for one in found)


def _are_names(values: Sequence[Any]) -> bool:
    return all(type(value) in {str, int} for value in values) and not _are_prose(values)


def _are_few(values: Sequence[Any]) -> bool:
    if not all(type(value) in {str, bool} for value in values) or _are_prose(values):
        return False
    return len(set(values)) <= max(3, len(values) // 2)


def _are_unique(values: Sequence[Any]) -> bool:
    return _are_names(values) and len(set(values)) == len(values)


def _are_prose(values: Sequence[Any]) -> bool:
    if any(isinstance(value, list) for value in values):
        return all(isinstance(value, str) or _is_chat(value) for value in values)
    texts = [value for value in values if isinstance(value, str)]
    return len(texts) == len(values) and sum(" " in text.strip() for text in texts) * 2 > len(texts)


def _is_chat(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) and "role" in item for item in value)


def _are_currencies(values: Sequence[Any]) -> bool:
    return all(isinstance(value, str) and len(value) == 3 and value.isalpha() for value in values)


_KINDS = {
    "count": _are_counts, "duration": _are_durations, "money": _are_amounts, "time": _are_times, "http": _are_http,
    "text": _are_names, "name": _are_names, "few": _are_few, "unique": _are_unique, "prose": _are_prose,
    "currency": _are_currencies,
}  # fmt: skip


def score_of(look: Look, path: Path, values: Sequence[Any]) -> int:
    """How well a column fits a field; 0 where it does not. Its own name counts more than those above it."""
    score = name_score(look, path, values)
    return score if score and is_of(look.kind, values) else 0


def name_score(look: Look, path: Path, values: Sequence[Any]) -> int:
    """The same by its name alone, whatever the kind of its values."""
    own, above = words(path[-1]), frozenset().union(*map(words, path[:-1])) if path[1:] else frozenset[str]()
    if look.never & own or (look.kind == "count" and (look.never - _IN - _OUT) & above):
        return 0
    is_model = look.field == "request_model" and looks_like_models(values)
    score = 4 * bool(look.named & own) + 2 * bool(look.named & above and not look.named & own)
    if not score and not is_model:
        return 0
    has_beside = bool(look.beside & (own - look.named)) or bool(look.beside & above) or len(look.beside & own) > 1
    score += 2 * has_beside + 3 * is_model
    if not (look.is_alone_enough or has_beside or is_model) and not (
        look.named & own and look.beside & look.named & own
    ):
        return 1 if look.named & own else 0
    return score
