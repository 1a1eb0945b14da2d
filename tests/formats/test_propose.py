"""A mapping is proposed for logs of unknown shapes, and `--map` accepts it as it stands."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from costctl.audit.format_check import check_files
from costctl.audit.options import AuditOptions
from costctl.cli import run
from costctl.errors import CostctlError
from costctl.formats.propose import Guess, left_out, mapping_file, propose
from tests.support import audited

Row = dict[str, Any]
IN, OUT, CACHED = 1000, 50, 400
COUNT = 6


def spanish(n: int) -> Row:
    """Flat, Spanish names with accents, cached tokens beside the input (the total says so), seconds by name."""
    return {
        "fecha": f"2026-03-0{n + 1} 10:00:00", "modelo": "gpt-4o-2024-08-06", "fichas_entrada": IN - CACHED,
        "fichas_salida": OUT, "fichas_cacheadas": CACHED, "fichas_total": IN + OUT, "duración_segundos": 1.5,
        "usuario": f"u{n % 2}", "estado": "éxito" if n else "fallo", "costo_usd": 0.003,
    }  # fmt: skip


def nested(n: int) -> Row:
    """Objects within objects, an epoch in milliseconds, cached tokens inside the input (the total says so)."""
    return {
        "cuando": 1772452800000 + n * 1000, "llm": {"nombre": "gpt-4o-2024-08-06", "proveedor": "openai"},
        "consumo": {"entrada": {"tokens": IN, "cacheados": CACHED}, "salida": {"tokens": OUT}, "total": IN + OUT},
        "tiempos": {"duracion_ms": 1500}, "quien": {"cliente_id": f"c{n}", "sesion": f"s{n % 3}"},
        "pregunta": f"¿Qué hotel hay en la ciudad {n}?", "respuesta": "Hay dos hoteles en el centro.",
    }  # fmt: skip


def camel(n: int) -> Row:
    """Camel case in one object, a duration whose unit only the two times tell, a status of HTTP."""
    return {
        "meta": {"callStarted": f"2026-03-01T10:0{n}:00Z", "callFinished": f"2026-03-01T10:0{n}:02Z", "took": 2000},
        "engineUsed": "openai/gpt-4o-2024-08-06", "sentToks": IN, "receivedToks": OUT, "httpCode": 200 if n else 503,
    }  # fmt: skip


def dotted(n: int) -> Row:
    """Names that hold dots and bars, as flattened exports have them."""
    return {
        "llm.engine": "gpt-4o-2024-08-06", "tokens|in.n": IN, "tokens|out.n": OUT, "at.utc": f"2026-03-01T10:00:0{n}Z",
    }  # fmt: skip


SHAPES: list[tuple[Callable[[int], Row], dict[str, str], dict[str, Any]]] = [
    (
        spanish,
        {"started_at": "fecha", "request_model": "modelo", "input_tokens": "fichas_entrada",
         "output_tokens": "fichas_salida", "cache_read_outside_tokens": "fichas_cacheadas",
         "total_tokens": "fichas_total", "latency_s": "duración_segundos", "user_id": "usuario", "status": "estado",
         "logged_cost": "costo_usd"},
        {"cache_read_tokens": COUNT * CACHED, "latency_ms_p50": 1500.0, "error_count": 1,
         "logged_cost_usd": Decimal("0.018")},
    ),
    (
        nested,
        {"started_at": "cuando", "request_model": "llm.nombre", "provider": "llm.proveedor",
         "input_tokens": "consumo.entrada.tokens", "cache_read_tokens": "consumo.entrada.cacheados",
         "output_tokens": "consumo.salida.tokens", "total_tokens": "consumo.total", "latency_ms": "tiempos.duracion_ms",
         "user_id": "quien.cliente_id", "session_id": "quien.sesion", "messages": "pregunta",
         "response_text": "respuesta"},
        {"cache_read_tokens": COUNT * CACHED, "latency_ms_p50": 1500.0, "error_count": 0},
    ),
    (
        camel,
        {"started_at": "meta.callStarted", "ended_at": "meta.callFinished", "latency_ms": "meta.took",
         "request_model": "engineUsed", "input_tokens": "sentToks", "output_tokens": "receivedToks",
         "http_status": "httpCode"},
        {"cache_read_tokens": 0, "latency_ms_p50": 2000.0, "error_count": 1},
    ),
    (
        dotted,
        {"request_model": r"llm\.engine", "input_tokens": r"tokens\|in\.n", "output_tokens": r"tokens\|out\.n",
         "started_at": r"at\.utc"},
        {"cache_read_tokens": 0, "error_count": 0},
    ),
]  # fmt: skip
NAMES = [shape.__name__ for shape, _, _ in SHAPES]


@pytest.mark.parametrize(("shape", "fields", "totals"), SHAPES, ids=NAMES)
def test_what_the_check_prints_is_a_mapping_that_reads_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any,
    shape: Callable[[int], Row], fields: dict[str, str], totals: dict[str, Any],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("log.jsonl").write_text("".join(f"{json.dumps(shape(n))}\n" for n in range(COUNT)), "utf-8")
    assert run(["audit", "log.jsonl"]) == 3
    said = capsys.readouterr().err.replace("'", "")
    assert f"--map request_model={fields['request_model']} " in said
    assert f"--map input_tokens={fields['input_tokens']} " in said
    assert run(["formats", "check", "log.jsonl", "--mapping"]) == 3
    text = capsys.readouterr().out
    assert yaml.safe_load(text) == fields
    Path("mapping.yaml").write_text(text, "utf-8")
    found = audited(tmp_path, "log.jsonl", mapping=("mapping.yaml",)).totals
    assert (found["request_count"], found["rejected_count"], found["undated_count"]) == (COUNT, 0, 0)
    assert found["input_tokens"] == COUNT * IN
    assert found["output_tokens"] == COUNT * OUT
    assert {name: found[name] for name in totals} == totals


@pytest.mark.parametrize(("shape", "fields", "totals"), SHAPES[:1], ids=NAMES[:1])
def test_a_table_is_proposed_for_like_lines(
    tmp_path: Path, shape: Callable[[int], Row], fields: dict[str, str], totals: dict[str, Any]
) -> None:
    rows = [{name: str(value) for name, value in shape(n).items()} for n in range(COUNT)]
    path = tmp_path / "log.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (tmp_path / "m.yaml").write_text(mapping_file(propose(rows)), "utf-8")
    assert yaml.safe_load((tmp_path / "m.yaml").read_text("utf-8")) == fields
    found = audited(tmp_path, path, mapping=(str(tmp_path / "m.yaml"),)).totals
    assert {name: found[name] for name in totals} == totals


def short(given: str, output: str) -> Callable[[int], Row]:
    """Two short names, dotted where one lies in an object, beside a model and a time."""

    def row(n: int) -> Row:
        found: Row = {"mdl": "gpt-4o", "t": f"2026-03-01T10:00:0{n}Z"}
        for name, count in ((given, IN + n), (output, OUT + n)):
            *above, own = name.split(".")
            (found.setdefault(above[0], {}) if above else found)[own] = count
        return found

    return row


@pytest.mark.parametrize(
    ("given", "output", "is_sure"),
    [
        ("tok.inp", "tok.out", True), ("n_ctx", "n_gen", True), ("in_tok", "out_tok", True), ("itok", "otok", True),
        ("ptok", "ctok", True), ("usg.inTkn", "usg.outTkn", True), ("prompt_n", "resp_n", True),
        ("n_context_tokens_total", "n_generated_tokens_total", True),
        ("prompt_len", "gen_len", False), ("input_length", "output_length", False),
    ],
)  # fmt: skip
def test_short_names_are_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, given: str, output: str, *, is_sure: bool
) -> None:
    """What E121 proposes, and what the check prints, both read the log; a length may be one of characters."""
    monkeypatch.chdir(tmp_path)
    rows = [short(given, output)(n) for n in range(COUNT)]
    Path("log.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    assert run(["audit", "log.jsonl"]) == 3
    said = capsys.readouterr().err
    assert {given, output} <= set(re.findall(r"[\w.]+", said.partition("keys: ")[2].partition("\n")[0]))
    proposed = re.findall(r"--map (\w+=[\w.]+)", said)
    assert {f"input_tokens={given}", f"output_tokens={output}", "request_model=mdl", "started_at=t"} == set(proposed)
    found = audited(tmp_path, "log.jsonl", mapping=tuple(proposed)).totals
    assert found["input_tokens"] == COUNT * IN + 15
    assert found["output_tokens"] == COUNT * OUT + 15
    unsure = {guess.field for guess in propose(rows) if guess.doubt}
    assert ({"input_tokens", "output_tokens"} <= unsure) is not is_sure


def test_a_window_is_no_count() -> None:
    """`n_ctx` is also what llama.cpp calls the size of its window, which is the same in all records."""
    rows = [{"llm": "gpt-4o", "n_ctx": 4096, "n_gen": 10 + n} for n in range(3)]
    assert doubts(rows)["input_tokens"] == "the same in all records looked at: perhaps the size of the window"
    assert doubts([row | {"n_ctx": 10 + n} for n, row in enumerate(rows)])["input_tokens"] == ""


def test_the_keys_of_an_unknown_log_are_dotted_and_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Within objects a key may be a value of the log: only what looks like a name is shown."""
    monkeypatch.chdir(tmp_path)
    row = {"a": {"b": {"c": 1}}, "by_user": {"maria@example.com": 3, "Ünal": 4, "4711": 5}, "l": [{"x": 1}],
           **{f"k{n:02d}": n for n in range(12)}}  # fmt: skip
    Path("log.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    assert run(["audit", "log.jsonl"]) == 3
    said = capsys.readouterr().err
    assert "keys: a.b.c, by_user.Ünal, k00, k01, k02, k03, k04, k05, k06, k07, k08, k09 and 3 more\n" in said
    assert "maria" not in said and "4711" not in said


def doubts(rows: list[Row]) -> dict[str, str]:
    return {guess.field: guess.doubt for guess in propose(rows)}


def test_what_no_value_decides_is_said_to_be_unsure() -> None:
    rows = [{"modelo": "gpt-4o", "tok_entrada": IN, "tok_salida": OUT, "tok_cache": CACHED, "demora": 3} for _ in "ab"]
    found = doubts(rows)
    assert "beside it" in found["cache_read_tokens"]
    assert "milliseconds" in found["latency_s"]
    assert doubts([row | {"demora": 3000} for row in rows])["latency_ms"].startswith("taken as milliseconds")
    text = mapping_file(propose(rows))
    assert re.search(r"# unsure: taken as inside.*\ncache_read_tokens: tok_cache\n", text)


def test_more_cached_tokens_than_input_lie_beside_it() -> None:
    rows = [{"modelo": "gpt-4o", "tok_entrada": 5, "tok_salida": OUT, "tok_cache": CACHED}]
    assert doubts(rows)["cache_read_outside_tokens"] == ""


def test_a_total_tells_where_reasoning_lies() -> None:
    row = {"modelo": "gpt-5", "tok_entrada": 10, "tok_salida": 20, "tok_razonamiento": 7}
    assert doubts([row | {"tok_total": 37}])["reasoning_outside_tokens"] == ""
    assert doubts([row | {"tok_total": 30}])["reasoning_tokens"] == ""


@pytest.mark.parametrize(
    "rows",
    [
        [{"level": "info", "msg": "started the server", "host": "a"}],
        [{"name": "red", "price": 3, "count": 7}, {"name": "blue", "price": 4, "count": 2}],
        [{"status": 200, "response": 404, "prompt": 500}],
    ],
)
def test_what_is_no_log_of_requests_gets_no_mapping_that_could_be_used(
    tmp_path: Path, rows: list[Row], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("log.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    assert run(["audit", "log.jsonl"]) == 3
    assert "perhaps" not in capsys.readouterr().err


def test_names_cannot_act_on_a_terminal_or_leave_their_line() -> None:
    nasty = "modelo\x1b[31m\n# x: y\u202e"
    text = mapping_file([Guess("request_model", (nasty, "a.b"))])
    assert all(line.isprintable() for line in text.splitlines())
    assert list(yaml.safe_load(text)) == ["request_model"]


def test_no_value_of_the_log_is_in_a_proposal() -> None:
    rows = [nested(n) for n in range(COUNT)]
    text = mapping_file(propose(rows))
    for value in ("gpt-4o", "hotel", "c3", "1772"):
        assert value not in text


def test_values_speak_where_no_name_does() -> None:
    rows = [
        {"@x": f"2026-03-02T10:00:0{n}Z", "day": "2026-03-02",
         "zz": {"k": "gpt-4o", "p": 1000 + n, "c": 50, "t": 1050 + n}}
        for n in range(4)
    ]  # fmt: skip
    guesses = {guess.field: guess for guess in propose(rows)}
    assert {field: guess.path for field, guess in guesses.items()} == {
        "started_at": ("@x",), "request_model": ("zz", "k"), "input_tokens": ("zz", "p"), "output_tokens": ("zz", "c"),
        "total_tokens": ("zz", "t"),
    }  # fmt: skip
    assert all(guess.doubt for guess in guesses.values())


def test_two_columns_of_moments_leave_the_time_open() -> None:
    rows = [{"x": "2026-03-02T10:00:00Z", "y": "2026-03-02T10:00:09Z", "model": "gpt-4o", "nIn": 7, "nOut": 2}] * 3
    assert "started_at" not in {guess.field for guess in propose(rows)}


EXCEL = """Fecha;Modelo LLM;Tokens entrada;Tokens salida;Coste (EUR);Usuario;Duración (s);Notas varias
11/06/2026 10:00:00;gpt-4o-mini;1.200;150;0,00027;ana;1,5;x
12/06/2026 10:05:00;gpt-4o;2.000;300;0,008;ana;3,25;y
"""


def test_what_a_proposal_leaves_out_stands_in_it_with_the_reason(tmp_path: Path) -> None:
    """A table as Excel writes it in Spain: thousands with dots, decimals with commas, euros."""
    path = tmp_path / "excel.csv"
    path.write_text(EXCEL, "utf-8")
    report = check_files([str(path)], AuditOptions())
    found = {row["path"]: (row["field"], row["reason"]) for row in report.tables["left_out_columns"].dicts()}
    local = "dots group its thousands or commas begin its decimals: write 1200 and 0.5"
    assert found == {
        "Tokens entrada": ("input_tokens", local),
        "Coste (EUR)": ("logged_cost", "its name says another currency, and amounts are taken as US dollars"),
        "Duración (s)": ("latency_ms", local),
        "Notas varias": (None, "its name speaks for no field"),
    }
    text = report.provenance["mapping_files"][str(path)]  # type: ignore[index]
    assert text.splitlines()[0] == '# A proposal: look at the lines under "left out".'
    assert f"# left out: Tokens entrada, which may be input_tokens: {local}" in text
    assert "# left out, as no name speaks for a field: Notas varias" in text
    assert yaml.safe_load(text) == {
        "started_at": "Fecha", "request_model": "Modelo LLM", "user_id": "Usuario", "output_tokens": "Tokens salida",
    }  # fmt: skip


def test_each_other_reason_is_told() -> None:
    rows: list[Row] = [
        {"modelo": "gpt-4o", "tokens entrada": "many", "tokens salida": 7, "fecha": "soon", "coste": "dear",
         "duracion": "long", "modelo 2": "x", "tokens output": 8, "a\nb": 1}
    ]  # fmt: skip
    missed = {one.path[-1]: one.reason for one in left_out(rows, propose(rows))}
    assert missed["tokens entrada"] == "its values are no whole numbers"
    assert missed["fecha"] == "its values are no times: write 2026-03-13T10:00:00Z"
    assert missed["coste"] == "its values are no amounts"
    assert missed["duracion"] == "its values are no durations"
    assert "another column fits better" in (missed.get("tokens output"), missed.get("tokens salida"))
    text = mapping_file(propose(rows), left_out(rows, propose(rows)))
    assert all(line.startswith("#") or ":" in line for line in text.splitlines())


def test_euros_are_never_proposed_as_dollars() -> None:
    rows: list[Row] = [{"modelo": "gpt-4o", "tokens salida": 7, "coste_eur": 0.5}]
    assert "logged_cost" not in {guess.field for guess in propose(rows)}
    with_currency = [row | {"moneda": "EUR"} for row in rows]
    assert {"logged_cost", "logged_currency"} <= {guess.field for guess in propose(with_currency)}


def test_a_table_that_is_not_utf_8_says_so_and_loses_no_column(tmp_path: Path) -> None:
    """As Excel saves it in Spain: the accented column is proposed, and the converted file is read with it."""
    path = tmp_path / "latin.csv"
    text = "Fecha,Modelo,Tokens de entrada,Tokens de salida,Tokens en caché\n2026-06-11,gpt-4o,1200,150,400\n"
    path.write_bytes(text.encode("cp1252"))
    report = check_files([str(path)], AuditOptions())
    (warning,) = [one for one in report.warnings if one.code == "W138"]
    assert f"iconv -f cp1252 -t utf-8 {path} > utf8-latin.csv" in warning.hint
    assert {row["path"] for row in report.tables["mapping"].dicts()} >= {"Tokens en caché", "Tokens de entrada"}
    with pytest.raises(CostctlError) as caught:
        audited(tmp_path, path)
    assert "it is not UTF-8" in caught.value.message
    assert "iconv -f cp1252" in caught.value.hint
    mapping = tmp_path / "m.yaml"
    mapping.write_text(report.provenance["mapping_files"][str(path)], "utf-8")  # type: ignore[index]
    converted = tmp_path / "utf8-latin.csv"
    converted.write_text(text, "utf-8")
    assert audited(tmp_path, converted, mapping=(str(mapping),)).totals["cache_read_tokens"] == 400
    assert not [one for one in check_files([str(converted)], AuditOptions()).warnings if one.code == "W138"]
