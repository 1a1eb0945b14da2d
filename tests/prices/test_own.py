"""The user's own rates: what they change, and how faults in the file are told."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from costctl.cli import run
from costctl.errors import CostctlError
from costctl.prices.book import PriceBook, load_book
from costctl.prices.lint import lint, own_doubts
from tests.prices.rows import priced, shipped
from tests.support import audited, rows, was_read


@pytest.fixture
def book_of(tmp_path: Path) -> Any:
    def make(text: str) -> PriceBook:
        path = tmp_path / "rates.yaml"
        path.write_text(text, "utf-8")
        return load_book(path)

    return make


def request(model: str | None, **row: Any) -> dict[str, Any]:
    return {"request_model": model, "input_uncached_tokens": 1_000_000, "output_tokens": 100_000, **row}


def costs(rows: list[dict[str, Any]]) -> list[Decimal | None]:
    return [row["list_cost_usd"] for row in rows]


def test_own_rates_come_first_under_every_spelling(book_of: Any) -> None:
    book = book_of("models:\n  gpt-4o: {input: 1, output: 2}\n  acme/house-model: {input: 0.5, output: 0.5}\n")
    rows = priced(
        [
            request("gpt-4o"),
            request("openai/gpt-4o"),
            request("GPT-4o", provider="azure"),
            request("acme/house-model"),
            request("house-model", provider="acme"),
            request("gpt-4o-mini"),
            request("house-model"),
        ],
        book,
    )
    assert costs(rows)[:6] == [Decimal(text) for text in ("1.2", "1.2", "1.2", "0.55", "0.55", "0.21")]
    assert costs(rows)[6] is None
    assert [row["price_how"] for row in rows] == ["own", "own", "own", "own", "own", "exact", "unpriced"]


def test_cached_tokens_without_a_rate_cost_the_input_rate(book_of: Any) -> None:
    book = book_of("models:\n  m: {input: 2, output: 4}\n  n: {input: 2, output: 4, cache_read: 0.2}\n")
    rows = priced([request("m", cache_read_tokens=1_000_000), request("n", cache_read_tokens=1_000_000)], book)
    assert costs(rows) == [Decimal("4.4"), Decimal("2.6")]


def test_a_fixed_rate_of_exchange(book_of: Any) -> None:
    """EUR 2 and 4 at 1.1: 2.2 + 0.44; JPY 100 and 200 at 0.0067: 0.67 + 0.134."""
    book = book_of(
        "fx: {EUR: 1.1, JPY: 0.0067}\n"
        "models:\n  euro: {currency: EUR, input: 2, output: 4}\n  yen: {currency: JPY, input: 100, output: 200}\n"
        "  dollar: {currency: USD, input: 1, output: 1}\n"
    )
    assert costs(priced([request("euro"), request("yen"), request("dollar")], book)) == [
        Decimal("2.64"), Decimal("0.804"), Decimal("1.1"),
    ]  # fmt: skip


EXACT, BY_MAKER, BY_FAMILY = '"openai/gpt-4o": 0.2', '"openai/*": 0.5', '"OpenAI/gpt-4o*": 0.1'


@pytest.mark.parametrize("entries", list(permutations((EXACT, BY_MAKER, BY_FAMILY))))
def test_the_most_specific_discount_holds_in_any_order(book_of: Any, entries: tuple[str, ...]) -> None:
    """3.5 less a fifth, 0.21 less a tenth, GPT-5's 2.25 less a half; Sonnet is above its cliff: 6 + 2.25."""
    book = book_of(f"discounts: {{{', '.join(entries)}}}\n")
    models = ("gpt-4o", "gpt-4o-mini", "gpt-5", "claude-sonnet-4-5")
    assert costs(priced([request(model) for model in models], book)) == [
        Decimal("2.8"),
        Decimal("0.189"),
        Decimal("1.125"),
        Decimal("8.25"),
    ]
    assert own_doubts(book) == []


def test_nothing_is_taken_off_own_rates(book_of: Any) -> None:
    """A million in and a tenth out at 2 and 8 are 2.8, whatever else every other model has taken off."""
    book = book_of('discounts: {"*": 0.1}\nmodels: {gpt-4o: {input: 2, output: 8}}\n')
    assert costs(priced([request("gpt-4o"), request("gpt-4o-mini")], book)) == [Decimal("2.8"), Decimal("0.189")]


NO_FIT = "fits no model of the price files; "


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("opnai/*", NO_FIT + "did you mean openai/*?"),
        ("gpt-4o", NO_FIT + "did you mean openai/gpt-4o?"),
        ("gtp-4o", NO_FIT + "did you mean openai/gpt-4o?"),
        ("openai/gtp-4o", NO_FIT + "did you mean openai/gpt-4o?"),
        ("openai", NO_FIT + "did you mean openai/*?"),
        ("bedrock/*", NO_FIT + "did you mean aws/*?"),
        ("qqqq", NO_FIT + "write provider/model"),
        ("mine", "own rates are not discounted: give the price that you pay"),
        ("own/*", "own rates are not discounted: give the price that you pay"),
    ],
)
def test_a_discount_of_nothing_is_told(book_of: Any, tmp_path: Path, entry: str, message: str) -> None:
    book = book_of(f'models: {{mine: {{input: 1, output: 1}}}}\ndiscounts: {{"openai/*": 0.1, "{entry}": 0.2}}\n')
    (finding,) = rows(lint(tmp_path / "rates.yaml"), "findings")
    assert (finding["severity"], finding["place"]) == ("error", "rates.yaml:2:30")
    assert (finding["key"], finding["message"]) == (f"discounts.{entry}", message)
    (warning,) = own_doubts(book)
    assert warning.code == "W304"
    assert message in warning.message


def test_simulate_and_reconcile_tell_a_discount_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also of a log that was audited before, without these rates and then with them."""
    log, rates, policy = (tmp_path / name for name in ("log.csv", "rates.yaml", "policy.yaml"))
    log.write_text("ts,model,input_tokens,output_tokens\n2026-06-01T10:00:00Z,gpt-4o,1000,100\n", "utf-8")
    rates.write_text('discounts: {"opnai/*": 0.1}\n', "utf-8")
    policy.write_text("version: 1\n", "utf-8")
    db = ["--db", str(tmp_path / "c.duckdb")]
    assert run(["audit", str(log), *db]) == 0
    capsys.readouterr()
    priced_with = ["--prices", str(rates), "--output", "json"]
    for command in (
        ["simulate", str(log), "--policy", str(policy), *db],
        ["simulate", "--policy", str(policy), *db],
        ["reconcile", str(log), "--invoice", str(log), "--invoice-map", "logged_cost=input_tokens"],
    ):  # fmt: skip
        assert run([*command, *priced_with]) == 0
        told = json.loads(capsys.readouterr().out)["warnings"]
        assert [one["code"] for one in told].count("W304") == 1, command


def test_two_discounts_of_equal_right_are_refused_by_lint(book_of: Any, tmp_path: Path) -> None:
    """`openai/*` and `*/gpt-4o` have seven letters each; until that is mended the smaller one is taken off."""
    for text in ('"openai/*": 0.5, "*/gpt-4o": 0.1', '"*/gpt-4o": 0.1, "openai/*": 0.5'):
        book = book_of(f"discounts: {{{text}}}\n")
        (finding,) = rows(lint(tmp_path / "rates.yaml"), "findings")
        assert finding["key"] == "discounts.*/gpt-4o"
        assert finding["message"].startswith("openai/* fits openai/gpt-4o just as well with another share")
        assert costs(priced([request("gpt-4o")], book)) == [Decimal("3.15")]
    assert own_doubts(book_of('discounts: {"openai/*": 0.5, "*/gpt-4o": 0.1, "openai/gpt-4o": 0.2}\n')) == []
    assert own_doubts(book_of('discounts: {"openai/*": 0.5, "OpenAI/*": 0.5}\n')) == []


def test_an_audit_tells_what_lint_finds(tmp_path: Path) -> None:
    log, own = tmp_path / "log.jsonl", tmp_path / "rates.yaml"
    log.write_text('{"model": "gpt-4o", "input_tokens": 1000, "output_tokens": 100}\n', "utf-8")
    own.write_text("models: {gpt-4o-mini: {input: 1, output: 1, cache_read: 2}}\n", "utf-8")
    said = [warning.message for warning in was_read(tmp_path, log, prices=own).warnings if warning.code == "W304"]
    assert said == ["your own rates, rates.yaml:1:10: models.gpt-4o-mini: cache_read costs more than input"]
    assert said == [one.message for one in audited(tmp_path, log, prices=own).warnings if one.code == "W304"]


def test_a_discount_and_a_region_multiply(book_of: Any) -> None:
    """2.75 and 11 in the EU zone, less a tenth: 2.475 + 0.99."""
    book = book_of('discounts: {"openai/*": 0.1}\n')
    assert costs(priced([request("azure/eu/gpt-4o")], book)) == [Decimal("3.465")]


def test_an_explicit_zero_is_free(book_of: Any) -> None:
    (row,) = priced([request("llama3", provider="ollama")], book_of("models: {llama3: {input: 0, output: 0}}\n"))
    assert (row["price_status"], row["list_cost_usd"]) == ("free", 0)


FAILED = (
    request("gpt-4o", status="error"),  # 2.50 in and 1.00 out at list; output says it was billed
    request("gpt-4o", status="error", output_tokens=0),
    request("gpt-4o", status="error", output_tokens=None),
    request("gpt-4o", status="error", output_tokens=0, logged_cost="0.01"),
    request("gpt-4o", status="cancelled", output_tokens=None, input_uncached_tokens=None, usage_source="missing"),
)


@pytest.mark.parametrize(
    ("policy", "cost", "status"),
    [
        ("unbilled", ("3.5", "0", "0", "2.5", "0"), "priced not_billed not_billed priced not_billed"),
        ("input_only", ("2.5", "2.5", "2.5", "2.5", None), "priced priced priced priced unknown_usage"),
        ("as_logged", ("3.5", "2.5", "2.5", "2.5", None), "priced priced priced priced unknown_usage"),
    ],
)
def test_failed_attempts(book_of: Any, policy: str, cost: tuple[str | None, ...], status: str) -> None:
    rows = priced(FAILED, book_of(f"failed: {policy}\n"))
    assert costs(rows) == [None if text is None else Decimal(text) for text in cost]
    assert [row["price_status"] for row in rows] == status.split()


def test_a_failure_of_a_model_without_a_price_costs_nothing_known() -> None:
    """Not billed, but its 0 would stand as the price of a model that has none."""
    said = {"status": "error", "output_tokens": None, "input_uncached_tokens": None, "usage_source": "missing"}
    (row,) = priced([request("ft:nobody-knows", **said)], shipped())
    assert (row["price_status"], row["list_cost_usd"], row["input_cost_usd"]) == ("not_billed", None, None)
    assert row["price_reason"] == "no price for 'ft:nobody-knows'"


def test_what_unbilled_failures_would_cost_stands_outside_the_total() -> None:
    rows = priced(FAILED, shipped())
    assert [row["failed_list_cost_usd"] for row in rows] == [None, Decimal("2.5"), Decimal("2.5"), None, None]


def test_a_good_request_is_priced_alike_under_every_policy(book_of: Any) -> None:
    for policy in ("unbilled", "input_only", "as_logged"):
        assert costs(priced([request("gpt-4o")], book_of(f"failed: {policy}\n"))) == [Decimal("3.5")]


FAULTY = """\
fx: {EUR: -1, CHF: much}
discount: {"openai/*": 0.1}
models:
  a: {input: 1, output: 2, monthly_tiers: []}
  b: {input: -1, output: 0.0000001, cache_raed: 1}
  c: {input: 1}
  d: {currency: SEK, input: 1, output: 1}
  e: {input: 1, input: 2, output: .nan}
  f: 3
discounts: {"openai/*": 10}
failed: sometimes
credits: 100
"""


def test_all_faults_at_once_with_their_places(book_of: Any) -> None:
    with pytest.raises(CostctlError) as caught:
        book_of(FAULTY)
    error = caught.value
    assert (error.code, error.exit_code) == ("E202", 2)
    found = {(problem.line, problem.column, problem.key): problem.message for problem in error.problems}
    assert found == {
        (2, 1, "discount"): "unknown key; did you mean discounts?",
        (12, 1, "credits"): "unknown key; credits are a matter of the invoice; prices here are per token",
        (1, 11, "fx.EUR"): "is not a rate of exchange above 0",
        (1, 20, "fx.CHF"): "is not a number",
        (4, 28, "models.a.monthly_tiers"): (
            "unknown key; volume tiers need the whole month's volume, which one log does not show"
        ),
        (5, 14, "models.b.input"): "is below 0",
        (5, 26, "models.b.output"): "has more than six decimals",
        (5, 37, "models.b.cache_raed"): "unknown key; did you mean cache_read?",
        (6, 6, "models.c"): "needs input and output; 0 says that it is free",
        (7, 17, "models.d.currency"): "no fixed rate for SEK; add fx: {SEK: ...}",
        (8, 17, "models.e.input"): "stands twice",
        (8, 35, "models.e.output"): "is not a number",
        (9, 6, "models.f"): "is not a mapping",
        (10, 25, "discounts.openai/*"): "is not a share from 0 to 1",
        (11, 9, "failed"): "must be one of unbilled, input_only, as_logged",
    }
    assert str(error).endswith(f"unknown key; did you mean discounts? and {len(found) - 1} more")
    assert error.hint == "did you mean discounts?"


@pytest.mark.parametrize("text", ["- a list\n", "", "just text\n"])
def test_a_file_that_is_no_mapping(book_of: Any, text: str) -> None:
    with pytest.raises(CostctlError) as caught:
        book_of(text)
    assert caught.value.code == "E201"


def test_a_file_that_is_no_yaml_is_told_with_its_place(book_of: Any) -> None:
    with pytest.raises(CostctlError) as caught:
        book_of("models:\n  a: {input: 1\n  b: ]\n")
    assert caught.value.code == "E201"
    assert [(problem.line, problem.message) for problem in caught.value.problems] == [(3, "not YAML")]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CostctlError) as caught:
        load_book(tmp_path / "none.yaml")
    assert caught.value.code == "E201"


def test_own_rates_are_part_of_the_digest(book_of: Any) -> None:
    assert book_of("models: {m: {input: 1, output: 1}}\n").digest != shipped().digest
