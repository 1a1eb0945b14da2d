"""Each finding on a small log, worked by hand."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from costctl.audit.budgets import parse_latency_budget, parse_token_budget
from costctl.errors import CostctlError
from costctl.render.people import to_terminal
from costctl.report import Report
from costctl.store import open_store
from tests.support import audited, rows


def made(tmp_path: Path, *lines: dict[str, Any], **options: Any) -> Report:
    path = tmp_path / "log.jsonl"
    common = {"timestamp": "2026-03-02T10:00:00Z", "model": "gpt-4o", "input_tokens": 1000, "output_tokens": 100}
    path.write_text(
        "".join(json.dumps({**common, "request_id": f"r{n}", **line}) + "\n" for n, line in enumerate(lines)), "utf-8"
    )
    return audited(tmp_path, path, **options)


def of_class(report: Report, name: str) -> dict[str, Any]:
    return next(row for row in rows(report, "anatomy") if row["class"] == name)


ONE = Decimal("0.0035")  # 1,000 in at 2.50 and 100 out at 10, per million
LONG_CASE = "Compara estas tres ofertas, analiza los riesgos y justifica paso a paso cuál conviene"


def message(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


def test_failed_calls_are_billed_only_with_evidence(tmp_path: Path) -> None:
    report = made(
        tmp_path,
        {"status": "error", "output_tokens": None},
        {"status": "error", "output_tokens": 0, "cost": 0.001},
        {"status": "error", "output_tokens": 100},
        {},
    )
    found = of_class(report, "failed_or_repeated_attempt")
    assert (found["request_count"], found["list_cost_usd"]) == (2, ONE + Decimal("0.0025"))
    assert report.totals["failed_list_cost_usd"] == Decimal("0.0025")
    assert report.totals["list_cost_usd"] == 2 * ONE + Decimal("0.0025")


def test_a_second_success_of_one_call_is_waste(tmp_path: Path) -> None:
    same = {"trace_id": "t", **message(LONG_CASE)}
    report = made(
        tmp_path,
        {**same, "attempt": 1, "status": "error", "output_tokens": None, "input_tokens": None},
        {**same, "attempt": 2, "timestamp": "2026-03-02T10:00:02Z"},
        {**same, "attempt": 3, "timestamp": "2026-03-02T10:00:04Z"},
    )
    assert report.totals["call_count"] == 1
    assert of_class(report, "failed_or_repeated_attempt")["request_count"] == 1


def test_exact_repeats_expire_a_day_after_insertion(tmp_path: Path) -> None:
    times = ("2026-03-02T10:00:00Z", "2026-03-02T20:00:00Z", "2026-03-03T09:59:59Z", "2026-03-03T10:00:00Z")
    report = made(tmp_path, *({**message(LONG_CASE), "timestamp": time} for time in times))
    assert of_class(report, "exact_repeat")["request_count"] == 2
    assert of_class(report, "exact_repeat")["recoverable_usd"] == 2 * ONE


def test_another_app_model_or_failure_answers_nobody(tmp_path: Path) -> None:
    report = made(
        tmp_path,
        {**message(LONG_CASE), "app": "a"},
        {**message(LONG_CASE), "app": "b"},
        {**message(LONG_CASE), "app": "a", "model": "gpt-4.1"},
        {**message(LONG_CASE + " hoy"), "app": "a", "status": "error", "output_tokens": None},
        {**message(LONG_CASE + " hoy"), "app": "a"},
    )
    assert of_class(report, "exact_repeat")["request_count"] == 0


def test_the_classes_and_their_order(tmp_path: Path) -> None:
    report = made(
        tmp_path,
        message("Hola"),
        {**message("Hola, gracias"), "model": "gpt-4o-mini"},
        {**message(LONG_CASE), "endpoint": "/nightly/report"},
        {**message(LONG_CASE), "input_tokens": 40_000},
        {**message(LONG_CASE + ".")},
    )
    counts = {row["class"]: row["request_count"] for row in rows(report, "anatomy")}
    assert counts == {
        "failed_or_repeated_attempt": 0, "exact_repeat": 1, "near_repeat": None, "prompt_cache_miss": None,
        "long_context": 0, "simple_on_premium": 1, "could_wait": 1, "complex": 1, "rest": 1,
    }  # fmt: skip
    simple = of_class(report, "simple_on_premium")
    assert simple["recoverable_usd"] == ONE - Decimal("0.00021")  # the same tokens on gpt-4o-mini
    assert of_class(report, "could_wait")["recoverable_usd"] == ONE / 2


def test_rows_that_are_not_computed_say_so(tmp_path: Path) -> None:
    report = made(tmp_path, {})
    for name, why in (("near_repeat", "not computed"), ("prompt_cache_miss", "not identifiable")):
        assert of_class(report, name)["list_cost_usd"] is None
        assert why in of_class(report, name)["note"]


def test_token_budgets_name_who_breaks_them(tmp_path: Path) -> None:
    report = made(
        tmp_path,
        {"user": "ana", "user_profile": "free", "endpoint": "/chat"},
        {"user": "ana", "user_profile": "free", "endpoint": "/chat"},
        {"user": "bo", "user_profile": "free", "endpoint": "/chat"},
        {"user": "eva", "user_profile": "pro", "endpoint": "/other", "input_tokens": 90_000},
        token_budgets=("user_profile=free:2k", "endpoint=/chat:5k", "endpoint=/nobody:1k"),
    )
    found = {(row["scope"], row["name"]): row for row in rows(report, "token_budgets")}
    free = found["user_profile", "free"]
    assert (free["budget_tokens"], free["tokens_per_day_max"], free["over_count"], free["worst"]) == (
        2000,
        2200,
        1,
        "ana",
    )
    assert found["endpoint", "/chat"]["over_count"] == 0
    assert found["user_profile", "pro"]["budget_tokens"] is None
    assert found["endpoint", "/nobody"]["day_count"] == 0
    assert any(item.code == "W140" for item in report.warnings)


def test_a_budget_of_a_small_name_is_compared(tmp_path: Path) -> None:
    """Of 60 endpoints the 50 largest are listed, and beside them the last, which has a budget."""
    lines = [{"endpoint": f"/e{n:02}", "input_tokens": 60_000 - 1000 * n, "output_tokens": 1} for n in range(60)]
    report = made(tmp_path, *lines, token_budgets=("endpoint=/e59:500", "endpoint=/e59:10"))
    found = [row for row in rows(report, "token_budgets") if row["scope"] == "endpoint"]
    assert [row["name"] for row in found] == [*(f"/e{n:02}" for n in range(50)), "/e59"]
    assert (found[-1]["budget_tokens"], found[-1]["tokens_per_day_max"], found[-1]["over_count"]) == (10, 1001, 1)
    codes = [item.code for item in report.warnings]
    assert ("W140" in codes, "W141" in codes) == (True, False)


def test_requests_that_no_day_or_user_has_are_within_no_budget(tmp_path: Path) -> None:
    """Requests of nobody are not one user, and what has no date is of no day: neither kept nor broken, and told."""
    report = made(
        tmp_path,
        {"user_profile": "free", "endpoint": "/x", "timestamp": None},
        {"user_profile": "free", "endpoint": "/y"},
        {"user_profile": "pro", "user": "ana", "endpoint": "/y"},
        token_budgets=("user_profile=free:10", "user_profile=pro:10", "endpoint=/x:10", "endpoint=/none:10"),
        latency_budgets=("/x=1s", "/none=1s"),
    )
    found = {(row["scope"], row["name"]): row for row in rows(report, "token_budgets")}
    assert found["user_profile", "pro"]["over_count"] == 1
    for place in (("user_profile", "free"), ("endpoint", "/x")):
        assert (found[place]["day_count"], found[place]["over_count"], found[place]["worst"]) == (0, None, None)
    assert found["endpoint", "/none"]["over_count"] == 0
    assert [row["over_count"] for row in rows(report, "latency_budgets")] == [None, 0]
    assert {item.message for item in report.warnings if item.code == "W141"} == {
        "a budget is set for free, of which no request has both a date and a user",
        "a budget is set for /x, of which no request has a date",
        "a budget is set for /x, of which no successful request has a latency",
        "a budget is set for /none, which no request of this log has",
    }


@pytest.mark.parametrize("size", ["99999999999999999999b", "9" * 400 + "m", "1000000.000000001b"])
def test_a_budget_over_any_log_is_refused(size: str) -> None:
    with pytest.raises(CostctlError, match="over 1,000,000,000,000,000") as refused:
        parse_token_budget(f"endpoint=/x:{size}")
    assert refused.value.code == "E142"
    with pytest.raises(CostctlError, match="over 1,000,000,000,000,000") as refused:
        parse_latency_budget(f"/x={'9' * 400}s")
    assert refused.value.code == "E143"


def test_the_size_of_a_budget_is_exact() -> None:
    """As a float, 1.000000000000001 billion times a million would lose its last digits."""
    assert parse_token_budget("endpoint=/x:999999.999999999b").max_tokens == 999_999_999_999_999
    assert parse_token_budget("endpoint=/x:1000000b").max_tokens == 10**15


def test_offsets_order_the_attempts_of_a_call(tmp_path: Path) -> None:
    """A failure, its retry and a second success nobody asked for, whose ids lie about the order; dates or offsets."""
    ids = ("z1", "a2", "b1")
    for times in (
        [{"timestamp": f"2026-03-02T10:00:0{second}Z"} for second in (0, 5, 9)],
        [{"timestamp": None, "offset_ms": 1000 * second} for second in (0, 5, 9)],
    ):
        one = {"trace_id": "t", **message(LONG_CASE)}
        lines = [{**one, **time, "request_id": name} for name, time in zip(ids, times, strict=True)]
        lines[0] |= {"status": "error", "output_tokens": 0, "http_status": 503}
        lines[2]["attempt"] = 3  # it goes on, so it is no new call
        report = made(tmp_path, *reversed(lines))
        assert report.totals["call_count"] == 1
        with open_store(tmp_path / "workspace" / "costctl.duckdb", read_only=True) as store:
            found = store.query(
                "SELECT request_id, attempt_number, is_repeated_success FROM call "
                "JOIN request USING (file_id, source_line) ORDER BY attempt_number"
            )
        assert found == [("z1", 1, False), ("a2", 2, False), ("b1", 3, True)]


def test_offsets_order_exact_repeats(tmp_path: Path) -> None:
    """Four equal prompts: the first is asked, three repeat it; a day and more after the last there is none."""
    day_ms = 86_400_000
    offsets = (0, 1000, 2000, 3000, 3000 + day_ms + 1)
    lines = [{"timestamp": None, "offset_ms": offset, **message(LONG_CASE)} for offset in offsets]
    found = of_class(made(tmp_path, *lines), "exact_repeat")
    assert (found["request_count"], found["list_cost_usd"], found["note"]) == (3, 3 * ONE, "all of it, at most")


def test_latency_budgets_give_the_share_over_them(tmp_path: Path) -> None:
    report = made(
        tmp_path,
        *({"endpoint": "/chat", "latency_ms": ms} for ms in (100, 200, 300, 4000)),
        latency_budgets=("/chat=1s",),
    )
    (found,) = rows(report, "latency_budgets")
    assert (found["budget_ms"], found["request_count"], found["over_count"], found["over_ratio"]) == (1000, 4, 1, 0.25)
    assert found["is_kept"] is False


def test_reconciliation_names_the_commonest_faults(tmp_path: Path) -> None:
    cached = {"input_tokens": 1000, "cached_input_tokens": 800, "output_tokens": 0}
    report = made(
        tmp_path,
        {**cached, "model": "gpt-4o", "cost": 0.0025},
        {"model": "gpt-4.1", "cost": 0.0028},
        {"model": "gpt-4o-mini", "cost": 0.0},
        {"model": "o1", "cost": 0.0105},
    )
    said = {row["model"]: row["explanation"] for row in rows(report, "reconciliation")}
    assert said == {
        "gpt-4o": "logged cost charges cached tokens at the full input price",
        "gpt-4.1": "equal to the last digit",
        "gpt-4o-mini": "logged as free: the logger knew no price",
        "o1": "logged cost is half of list: batch price",
    }


def test_logged_tier_against_ours(tmp_path: Path) -> None:
    report = made(tmp_path, {**message("Hola"), "tier": "C"}, {**message("Hola"), "tier": "A"})
    assert [(row["logged_tier"], row["tier"], row["request_count"]) for row in rows(report, "tier_agreement")] == [
        ("A", "A", 1),
        ("C", "A", 1),
    ]


def test_quality_is_told_only_where_the_log_has_scores(tmp_path: Path) -> None:
    assert "quality" in made(tmp_path, {}).provenance["not_computed"]  # type: ignore[operator]
    report = made(tmp_path, *({**message("Hola"), "score": n / 20} for n in range(20)))
    (found,) = rows(report, "quality")
    assert (found["tier"], found["scored_count"], found["quality_score_mean"]) == ("A", 20, 0.475)
    assert [row["request_id"] for row in rows(report, "quality_examples")] == [f"r{n}" for n in range(10)]


def test_parts_of_the_prompt_and_drift_of_system_prompts(tmp_path: Path) -> None:
    def chat(system: str, *turns: tuple[str, str]) -> dict[str, Any]:
        return {
            "endpoint": "/chat",
            "messages": [{"role": "system", "content": system}, *({"role": r, "content": t} for r, t in turns)],
        }

    report = made(
        tmp_path,
        chat("s" * 100, ("user", "u" * 10)),
        chat("s" * 100, ("user", "a" * 40), ("assistant", "b" * 30), ("user", "u" * 20)),
        chat("t" * 100, ("user", "u" * 10), ("tool", "x" * 50)),
    )
    parts = {row["part"]: row["prompt_chars"] for row in rows(report, "prompt_parts")}
    assert parts == {"system": 300, "tools": 50, "history": 70, "user": 40, "retrieved": None}
    system = next(row for row in rows(report, "prompt_parts") if row["part"] == "system")
    assert (system["input_tokens_low"], system["input_tokens_high"]) == (60, 100)
    (drift,) = rows(report, "system_prompts")
    assert (drift["system_prompt_count"], drift["request_count"]) == (2, 3)
    assert drift["drift_cost_at_most_usd"] == Decimal("0.0015625")  # 0.0025 of input, 100 of 160 characters


def test_the_screen_says_what_its_figures_are_of(tmp_path: Path) -> None:
    """Of a log that names no provider nothing is said by provider; a quantile says over what it runs."""
    screen = to_terminal(made(tmp_path, {"latency_ms": 900}))
    assert "SPEND BY PROVIDER" not in screen
    assert "p99 900 ms   per successful request" in screen
    assert "SPEND BY PROVIDER  not in the log 50.0 %   openai 50.0 %" in to_terminal(
        made(tmp_path, {"provider": "openai"}, {})
    )


@pytest.mark.parametrize(
    ("lines", "shown"),
    [([{}, {}], "cached —"), ([{"cached_tokens": 0}, {}], "cached 0"), ([{"cached_tokens": 7}, {}], "cached 7"),
     ([{"input_tokens": None, "output_tokens": None, "status": "error"}, {}], "cached —")],
)  # fmt: skip
def test_what_no_request_tells_of_the_cache_is_not_shown_as_0(
    tmp_path: Path, lines: list[dict[str, Any]], shown: str
) -> None:
    """The total stays a number for scripts, beside the count of those that do not tell."""
    report = made(tmp_path, *lines)
    assert f"   {shown}   " in to_terminal(report)
    assert report.totals["cache_read_tokens"] == (7 if shown == "cached 7" else 0)


def test_days_that_do_not_fit_the_screen_are_the_oldest(tmp_path: Path) -> None:
    """40 days from March 1 on: the last 31 are shown, and what is folded is told."""
    dates = [f"2026-03-{day:02d}" for day in range(1, 32)] + [f"2026-04-{day:02d}" for day in range(1, 10)]
    report = made(tmp_path, *({"timestamp": f"{date}T10:00:00Z"} for date in dates), {"timestamp": None}, by=("day",))
    screen = to_terminal(report, 120)
    assert "SPEND BY DAY: in time order; 10 earlier, 2026-03-01 .. 2026-03-10: --output json" in screen
    first, *_, last, undated = screen.partition("SPEND BY DAY")[2].partition("\n\n")[0].splitlines()[2:]
    assert (first[2:12], last[2:12], undated[2:3]) == ("2026-03-11", "2026-04-09", "—")
    assert len(rows(report, "by_day")) == 41


def test_costs_in_cents_are_told_and_not_changed(tmp_path: Path) -> None:
    """0.35 beside $0.0035: cents; one row of another kind among ten does not hide it, and two do."""
    cents, dollars = {"cost": "0.35"}, {"cost": "0.0035"}
    report = made(tmp_path, *[cents] * 9, dollars)
    (warning,) = [item for item in report.warnings if item.code == "W151"]
    assert warning.message == (
        "the logged cost is about 100 times list in 9 of 10 requests of generic with both: it seems to be in cents, "
        "and is shown as dollars"
    )
    (row,) = rows(report, "reconciliation")
    assert row["explanation"] == "logged cost is about 100 times list: cents, it seems"
    assert report.totals["logged_cost_usd"] == Decimal("3.1535")
    for lines in ([cents] * 8 + [dollars] * 2, [{"cost": "0.00175"}], [{"cost": "0.35", "currency": "EUR"}]):
        assert "W151" not in [item.code for item in made(tmp_path, *lines).warnings]


@pytest.mark.parametrize(("cost", "is_told"), [("0.35", False), ("0.0035", True)])
def test_portkey_costs_are_cents_unless_they_fit_dollars(tmp_path: Path, cost: str, *, is_told: bool) -> None:
    """Its documentation says cents, and a sample of that documentation fits dollars."""
    path = tmp_path / "export.jsonl"
    line = {"id": "p1", "created_at": "2026-03-02T10:00:00Z", "ai_org": "openai", "ai_model": "gpt-4o",
            "is_success": True, "req_units": 1000, "res_units": 100, "cost": cost, "cost_currency": "USD"}  # fmt: skip
    path.write_text(json.dumps(line) + "\n", "utf-8")
    said = [item.message for item in audited(tmp_path, path).warnings if item.code == "W151"]
    assert [
        text.endswith("it is read as cents, as Portkey documents, and seems to be in dollars") for text in said
    ] == ([True] if is_told else [])


def test_tags_are_sets_that_sum_and_each_tag_is_shown_beside(tmp_path: Path) -> None:
    """Six requests of $0.0035: a set counts once however it is spelled, and with each of its tags besides."""
    said: list[Any] = [["b", "a"], "a, b", '["a","b"]', ["a"], {"env": "prod"}, None]
    report = made(tmp_path, *({"tags": tags} for tags in said), by=("tag",))
    sets = {row["tag"]: (row["request_count"], row["list_cost_usd"]) for row in rows(report, "by_tag")}
    assert sets == {"a,b": (3, 3 * ONE), "a": (1, ONE), '{"env":"prod"}': (1, ONE), None: (1, ONE)}
    each = {row["tag"]: (row["request_count"], row["list_cost_usd"]) for row in rows(report, "each_tag")}
    assert each == {"a": (4, 4 * ONE), "b": (3, 3 * ONE), '{"env":"prod"}': (1, ONE)}
    screen = to_terminal(report)
    assert "SPEND BY TAG: each set of tags once, so that the rows sum to the total" in screen
    assert "SPEND WITH EACH TAG: a request counts with each of its tags; no sum" in screen
    assert "each_tag" not in made(tmp_path, {"tags": ["a"]}, {"tags": "b"}, by=("tag",)).tables


def test_a_day_on_which_nobody_can_have_asked_is_told(tmp_path: Path) -> None:
    """Accepted, as the clock may be wrong and the tokens right; the price set of the repository is of 2026."""
    report = made(tmp_path, {}, {"timestamp": "1970-01-02T00:00:00Z"}, {"timestamp": "2150-01-01T00:00:00Z"})
    (warning,) = [item for item in report.warnings if item.code == "W132"]
    assert warning.message.startswith("2 requests are dated before 2020 or more than a year after the price set")
    assert "the first at log.jsonl:2: 1970-01-02" in warning.message
    assert report.totals["accepted_count"] == 3


def test_a_status_of_unknown_words_is_told_and_not_guessed(tmp_path: Path) -> None:
    """It is billed, as no failure is known; no latency of an answer and no error rate rests on it."""
    report = made(
        tmp_path, {"latency_ms": 100}, {"status": "wat", "latency_ms": 900}, {"status": "error"}, by=("status",)
    )
    (warning,) = [item for item in report.warnings if item.code == "W133"]
    assert warning.message.startswith("1 request has a status that means neither success nor failure here")
    assert "the first at log.jsonl:2" in warning.message
    counts = {row["status"]: row["request_count"] for row in rows(report, "by_status")}
    assert counts == {"ok": 1, "unknown": 1, "error": 1}
    assert (report.totals["list_cost_usd"], report.totals["error_count"]) == (3 * ONE, 1)  # each has output
    assert report.totals["latency_ms_p99"] == 100
    assert not [item for item in made(tmp_path, {"status": "wat"}, mapping=("status=none",)).warnings
                if item.code == "W133"]  # fmt: skip


def test_what_only_one_provider_could_serve(tmp_path: Path) -> None:
    report = made(tmp_path, {"provider": "openai"}, {"provider": "acme", "model": "acme-llm"})
    found = {row["provider"]: row for row in rows(report, "provider_share")}
    assert found["openai"]["share_ratio"] == 1.0
    assert found["openai"]["only_here_usd"] == 0  # Azure and OpenRouter sell gpt-4o as well
    assert found["acme"]["list_cost_usd"] is None


def test_monthly_rate_only_from_seven_days_on(tmp_path: Path) -> None:
    days = [{"timestamp": f"2026-03-{day:02d}T00:00:00Z"} for day in range(1, 8)]
    assert made(tmp_path, *days).totals["monthly_run_rate_usd"] == ONE * 30
    assert "monthly_run_rate_usd" not in made(tmp_path, *days[:6]).totals


def test_a_projection_names_its_days_and_a_gap_is_no_observation(tmp_path: Path) -> None:
    two = [{"timestamp": f"2026-03-{day:02d}T00:00:00Z"} for day in (1, 20)]
    assert "monthly_run_rate_usd" not in made(tmp_path, *two).totals
    days = [{"timestamp": f"2026-03-{day:02d}T00:00:00Z"} for day in (1, 2, 3, 4, 5, 6, 10)]
    report = made(tmp_path, *days)
    assert report.totals["monthly_run_rate_usd"] == 7 * ONE / 10 * 30
    assert "in 30 days: mean of 10 days, 3 of them without a request" in to_terminal(report)


def test_rates_of_the_user_are_not_called_list(tmp_path: Path) -> None:
    (tmp_path / "rates.yaml").write_text('discounts: {"openai/*": 0.10}', "utf-8")
    own = made(tmp_path, {"cost": float(ONE)}, prices=tmp_path / "rates.yaml")
    (row,) = rows(own, "reconciliation")
    assert row["explanation"] == "logged prices differ from your rates: 1.1111 times your rates"
    assert "LOGGED COST differs from your rates:" in to_terminal(own)
    assert "differs from list:" in to_terminal(made(tmp_path, {"cost": 0.1}))


def test_days_and_hours_stand_in_time_order(tmp_path: Path) -> None:
    lines = [
        {"timestamp": f"2026-03-0{day}T0{day}:00:00Z", "input_tokens": 1000 * (day % 3 + 1)} for day in (3, 1, 5, 2)
    ]
    report = made(tmp_path, *lines, by=("day", "hour", "endpoint"))
    assert [row["day"][-2:] for row in rows(report, "by_day")] == ["01", "02", "03", "05"]
    assert [row["hour"][-5:] for row in rows(report, "by_hour")] == ["01:00", "02:00", "03:00", "05:00"]
    assert "SPEND BY DAY: in time order" in to_terminal(report)
    assert "SPEND BY ENDPOINT\n" in to_terminal(report)


def test_an_unknown_dimension_teaches(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="unknown dimension: tem"):
        made(tmp_path, {}, by=("tem",))


def test_another_days_prices(tmp_path: Path) -> None:
    """o3 cost 10/40 before 2025-06-10 and 2/8 after."""
    row = {"model": "o3", "timestamp": "2025-07-01T00:00:00Z"}
    from costctl.audit.options import midnight

    assert made(tmp_path, row).totals["list_cost_usd"] == Decimal("0.0028")
    assert made(tmp_path, row, as_of=midnight("2025-06-01")).totals["list_cost_usd"] == Decimal("0.014")


def test_optional_values_that_cannot_be_read_are_unknown_and_counted(tmp_path: Path) -> None:
    report = made(
        tmp_path, {"latency_ms": "soon", "temperature": "warm"}, {"latency_ms": "never", "cost": -1}, {"latency_ms": 5}
    )
    assert report.totals["accepted_count"] == 3
    assert {row["column_name"]: row["value_count"] for row in rows(report, "unread")} == {
        "latency_ms": 2, "logged_cost": 1, "temperature": 1,
    }  # fmt: skip
    assert sum(item.code == "W112" for item in report.warnings) == 3
    assert "unread" in made(tmp_path, {}).provenance["not_computed"]  # type: ignore[operator]


def test_a_duration_below_zero_is_unknown_and_counted(tmp_path: Path) -> None:
    ends = {"timestamp": "2026-03-02T10:00:05Z", "end_time": "2026-03-02T10:00:00Z"}
    report = made(tmp_path, {"latency_ms": -5}, ends, {"latency_ms": 5})
    assert rows(report, "unread") == [{"column_name": "latency_ms", "value_count": 2}]
    (said,) = [item.message for item in report.warnings if item.code == "W112"]
    assert said == "2 values of latency_ms could not be read: taken as unknown"


def test_a_duration_over_a_year_is_unknown_and_counted(tmp_path: Path) -> None:
    """366 days are 31,622,400,000 ms; 1e300 ms broke the replay, whose microseconds have 64 bits."""
    of_two_centuries = {"timestamp": "1970-01-01T00:00:00Z", "end_time": "2170-01-01T00:00:00Z"}
    lines = [{"latency_ms": 1e300}, of_two_centuries, {"latency_ms": 31_622_400_000}, {"time_to_first_token_ms": 1e17}]
    report = made(tmp_path, *lines)
    assert {row["column_name"]: row["value_count"] for row in rows(report, "unread")} == {
        "latency_ms": 2, "time_to_first_token_ms": 1,
    }  # fmt: skip
    assert report.totals["latency_ms_p99"] == Decimal("31622400000")


def test_repeats_are_not_computed_where_the_log_has_no_prompt(tmp_path: Path) -> None:
    report = made(tmp_path, {}, {"status": "error", "output_tokens": 100}, {"input_tokens": 40_000})
    found = of_class(report, "exact_repeat")
    assert [found[name] for name in ("request_count", "list_cost_usd", "share_ratio", "recoverable_usd")] == [None] * 4
    assert found["note"] == "not computed: no prompt in the log"
    missing: Any = report.provenance["not_computed"]
    assert missing["exact_repeats"] == "not computed: no prompt in the log"
    shown = [row["list_cost_usd"] for row in rows(report, "anatomy") if row["list_cost_usd"] is not None]
    assert sum(shown) == report.totals["list_cost_usd"] > 0
    assert "exact repeats within 24 h: not computed: no prompt in the log" in to_terminal(report, 100)


def test_no_repeat_among_prompts_of_which_some_are_known_is_none(tmp_path: Path) -> None:
    report = made(tmp_path, message("Where is my order?"), {})
    assert of_class(report, "exact_repeat")["request_count"] == 0
    assert "exact_repeats" not in str(report.provenance["not_computed"])


def test_an_unpriced_model_is_told_with_the_near_names_that_have_a_price(tmp_path: Path) -> None:
    report = made(tmp_path, {"model": "gpt-4o-mimi"}, {"model": "my-fine-tune"})
    hints = {item.message.split()[0]: item.hint for item in report.warnings if item.code == "W201"}
    assert str(hints["gpt-4o-mimi"]).startswith("near names with a price: openai/gpt-4o-mini, ")
    assert hints["my-fine-tune"] == "give a price: --prices rates.yaml; costctl init writes an example"


def test_what_writes_nothing_is_no_cheaper_model_for_a_chat(tmp_path: Path) -> None:
    """An embedding model beside a chat: nothing here is cheaper that could answer."""
    embedded = {"model": "text-embedding-3-small", "operation": "embeddings", "output_tokens": 0, **message("hola")}
    found = of_class(made(tmp_path, message("hello"), embedded), "simple_on_premium")
    assert (found["request_count"], found["recoverable_usd"]) == (1, None)
    assert found["note"] == "no cheap model in this log to compare with"
