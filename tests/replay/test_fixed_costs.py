"""Fixed costs: charged for the span of the log to the last digit, and what one-off costs need to come back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.replay.reports import A_USD, ASSUME, C_USD, Reports, request, usd

POLICY = f"tiers: {{A: {{models: [gpt-4o-mini]}}}}\n{ASSUME}routing: {{default: A}}\n"
# Exactly one month of 30.4375 days, and half of it.
MONTH = [request(0, timestamp="2026-03-01T00:00:00Z"), request(1, timestamp="2026-03-31T10:30:00Z")]
HALF = [request(0, timestamp="2026-03-01T00:00:00Z"), request(1, timestamp="2026-03-16T05:15:00Z")]
SAVED = 2 * (C_USD - A_USD)


def simulated(reports: Reports, costs: str, requests: list[tuple[Any, ...]]) -> dict[str, Any]:
    return reports(f"{POLICY}fixed_costs: {costs}\n", requests)


@pytest.mark.parametrize(("requests", "share"), [(MONTH, 1), (HALF, 2)])
def test_a_month_has_30_4375_days(reports: Reports, requests: list[tuple[Any, ...]], share: int) -> None:
    report = simulated(
        reports, "[{name: redis, usd_per_month: 0.001}, {name: gateway, usd_per_month: 0.003}]", requests
    )
    totals = report["totals"]
    assert usd(totals["fixed_cost_usd"]) == usd("0.004") / share
    assert usd(totals["net_saving_usd"]) == SAVED - usd("0.004") / share
    assert usd(totals["saving_usd"]) == SAVED  # the main figures stay
    assert [(row["name"], usd(row["fixed_cost_usd"])) for row in report["tables"]["fixed_costs"]] == [
        ("redis", usd("0.001") / share), ("gateway", usd("0.003") / share),
    ]  # fmt: skip
    assert "payback_days" not in totals
    assert "payback_days" not in report["provenance"]["not_computed"]


def test_charges_are_whole_picodollars_halves_up(reports: Reports) -> None:
    """A dollar a month for one minute of 43,830: 0.0000228154232261...; that for three picodollars is none."""
    report = simulated(reports, "[{name: a, usd_per_month: 1}]", [request(0), request(1)])
    assert report["totals"]["fixed_cost_usd"] == "0.000022815423"
    report = simulated(reports, "[{name: a, usd_per_month: 0.000000043830}]", [request(0), request(1)])
    assert report["totals"]["fixed_cost_usd"] == "0.000000000001"
    report = simulated(reports, "[{name: a, usd_per_month: 0.000000021914}]", [request(0), request(1)])
    assert report["totals"]["fixed_cost_usd"] == "0.000000000000"


def test_one_off_costs_come_back_in_days(reports: Reports) -> None:
    """A month saves 0.00658; 0.00058 of it goes to the fixed cost, so 0.006 come back in one month."""
    report = simulated(reports, "[{name: a, usd_per_month: 0.00058, one_off_usd: 0.006}]", MONTH)
    assert report["totals"]["payback_days"] == "30.4"
    assert report["provenance"]["status"]["payback_days"] == report["provenance"]["status"]["saving_usd"]


def test_what_never_pays_back_is_said(reports: Reports) -> None:
    report = simulated(reports, "[{name: a, usd_per_month: 1, one_off_usd: 0.006}]", MONTH)
    assert usd(report["totals"]["net_saving_usd"]) == SAVED - 1
    assert "never" in report["provenance"]["not_computed"]["payback_days"]


def test_an_estimate_has_both_ends(reports: Reports) -> None:
    """The sooner it pays back the more is saved; an end at which nothing is saved has no number."""
    costs = "fixed_costs: [{name: a, usd_per_month: 0.0005, one_off_usd: 0.006}]\n"
    policy = "tiers: {A: {models: [gpt-4.1]}}\nrouting: {default: A}\n"
    totals = reports(policy + costs, MONTH)["totals"]
    assert usd(totals["net_saving_usd_low"]) == usd(totals["saving_usd_low"]) - usd("0.0005") < 0
    assert usd(totals["net_saving_usd_high"]) == usd(totals["saving_usd_high"]) - usd("0.0005")
    assert totals["payback_days_high"] is None
    assert float(totals["payback_days_low"]) < float(totals["payback_days"])


def test_a_log_without_a_span_charges_nothing(reports: Reports) -> None:
    report = simulated(reports, "[{name: a, usd_per_month: 1, one_off_usd: 1}]", [request(0)])
    missing = report["provenance"]["not_computed"]
    assert all("not identifiable" in missing[name] for name in ("fixed_cost_usd", "net_saving_usd", "payback_days"))
    assert "net_saving_usd" not in report["totals"]


def test_a_gate_on_the_net_saving(reports: Reports) -> None:
    reports.write(f"{POLICY}fixed_costs: [{{name: a, usd_per_month: 1}}]\ngates: ['net_saving_usd >= 0']\n", MONTH)
    assert reports.said()[0] == 6
