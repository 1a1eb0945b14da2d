"""routing.classifier: a router of two or three numbers, its gains worked out by hand.

`turn_count` is read as ln(1 + n), so that with a slope of 1 a call of turn n has the odds n + 1 : 1 for a gain; the
effect of endpoint /hard triples them, that of /easy is a third. Turn 1: 2/3. Turn 1 at /hard: 6/7. At /easy: 2/5.
"""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from costctl.errors import CostctlError
from costctl.policy.load import parse_policy
from costctl.replay.beside import Asked
from costctl.replay.classifier import told_reason
from costctl.replay.explained import explain
from costctl.replay.run import simulate
from costctl.report import Report
from costctl.tiers.learned import Category, Linear, Router, Threshold
from tests.replay.around import ASSUME, call
from tests.replay.compare import SEED, book
from tests.replay.logs import Row, dicts, store_of

TIERS = "tiers: {A: {models: [gpt-4o-mini]}, B: {models: [gpt-4.1-mini]}, C: {models: [gpt-4o]}}\n"
TURNS = Linear(("turn_count",), (0.0,), (1.0,), (1.0,), (0.0,), 0.0)
ENDPOINTS = Category("endpoint", 1.0, {"/hard": math.log(3), "/easy": -math.log(3)})
MODELS: tuple[str | None, str | None] = ("openai/gpt-4o-mini", "openai/gpt-4o")


def router(
    gain_below: float = 0.5, bound: float | None = 0.02, models: tuple[str | None, str | None] = MODELS, **more: Any
) -> Router:
    threshold = Threshold(gain_below, bound, 0.9, 0.01, 0.4)
    said: dict[str, Any] = {"linear": (TURNS,), "categories": (ENDPOINTS,), "is_forced": False, **more}
    return Router(
        "columns", said["linear"], None, said["categories"], 1.0, 0.0, threshold, *models, 1500, said["is_forced"],
        ({"split": "in fold", "router": "learned", "apgr": 0.6, "cpt50_ratio": 0.3, "cpt80_ratio": 0.7},),
    )  # fmt: skip


class Routed:
    """One simulation under a policy whose classifier is this router."""

    def __init__(self, routing: str, rows: list[Row], used: Router, tiers: str = TIERS, **asked: Any) -> None:
        text = f"version: 1\n{tiers}{ASSUME}routing: {{{routing}}}\n"
        with store_of(rows, book()) as store:
            policy = parse_policy(text, "policy.yaml")
            self.report: Report = simulate(store, policy, book(), SEED, asked=Asked(router=used, **asked))
            self.made = dicts(store, "SELECT * FROM decision ORDER BY position")
            self.steps = [
                row["reason"]
                for one in self.made
                for row in explain(store, one["request_id"]).tables["steps"].dicts()
                if row["stage"] == "route"
            ]

    @property
    def tiers(self) -> str:
        return "".join(one["tier"] for one in self.made)

    def routing(self) -> list[tuple[Any, Any]]:
        return [(row["reason"], row["call_count"]) for row in self.report.tables["routing"].dicts()]

    def codes(self) -> set[str]:
        return {one.code for one in self.report.warnings}


HERE = "classifier: {file: router.json}"
THREE = [
    call(0, turn_count=1, endpoint="/hard"),  # 6/7
    call(1, turn_count=1, endpoint="/easy"),  # 2/5
    call(2, turn_count=1),  # 2/3
]


def test_below_the_threshold_a_call_goes_to_the_cheaper_tier() -> None:
    found = Routed(HERE, THREE, router(0.5))
    assert found.tiers == "CAC"
    assert [one["predicted_gain"] for one in found.made] == [0.857142857, 0.4, 0.666666667]
    assert found.routing() == [
        ("learned router: gain < 0.5", 1), ("learned router: gain >= 0.5", 2), ("no rule: as logged", 0),
    ]  # fmt: skip
    assert found.steps == [
        "learned router: gain 0.86 >= 0.5", "learned router: gain 0.40 < 0.5", "learned router: gain 0.67 >= 0.5",
    ]  # fmt: skip
    assert found.report.totals["classifier_count"] == 3
    assert found.report.totals["classifier_cheap_ratio"] == pytest.approx(1 / 3)


def test_the_threshold_of_the_file_decides() -> None:
    assert Routed(HERE, THREE, router(0.39)).tiers == "CCC"
    assert Routed(HERE, THREE, router(0.7)).tiers == "CAA"
    assert Routed(HERE, THREE, router(0.9)).tiers == "AAA"


def test_min_confidence_takes_the_place_of_the_threshold() -> None:
    """The chances that the cheaper model does as well are 1/7, 3/5 and 1/3."""
    found = Routed("classifier: {file: router.json, min_confidence: 30%}", THREE, router(0.5))
    assert found.tiers == "CAA"
    assert found.steps == [
        "learned router: confidence 0.14 < 0.3", "learned router: confidence 0.60 >= 0.3",
        "learned router: confidence 0.33 >= 0.3",
    ]  # fmt: skip
    assert Routed("classifier: {file: router.json, min_confidence: 61%}", THREE, router(0.5)).tiers == "CCC"


def test_rules_come_before_the_router_and_intents_and_the_default_after_it() -> None:
    rows = [
        call(0, turn_count=1, endpoint="/easy", intent="faq"),  # a rule takes it
        call(1, turn_count=1, intent="faq"),  # the router, though there is an entry for its intent
        call(2, endpoint=None, intent="faq"),  # no turn and no endpoint: the router says nothing
        call(3, endpoint=None),
        call(4, endpoint="/easy"),  # one of the two is enough: 1/4
    ]
    text = f"rules: [{{name: easy, when: {{turn_count: 1, endpoint: /easy}}, to: B}}], {HERE}, matrix: {{faq: B}}"
    found = Routed(f"{text}, default: A", rows, router(0.5))
    assert found.tiers == "BCBAA"
    assert [one["routing_reason"] for one in found.made] == [
        "easy", "learned router: gain >= 0.5", "intent faq", "default", "learned router: gain < 0.5",
    ]  # fmt: skip
    assert [one["predicted_gain"] for one in found.made] == [None, 0.666666667, None, None, 0.25]
    assert [one.message for one in found.report.warnings if one.code == "W260"] == [
        "the learned router says nothing of 2 calls: the log lacks what it reads there; intent and default decide"
    ]


def test_raises_and_floors_come_after_the_router() -> None:
    raised = f"{HERE}, raise: [{{name: up, when: {{endpoint: /easy}}, to: B}}]"
    assert Routed(raised, THREE, router(0.7)).tiers == "CBA"
    floored = f"{HERE}, floors: [{{name: least, when: {{endpoint: /chat}}, at_least: B}}]"
    assert Routed(floored, THREE, router(0.7)).tiers == "CAB"


def test_a_rule_named_like_the_router_is_a_rule() -> None:
    named = "'learned router: gain >= 0.5'"
    found = Routed(f"rules: [{{name: {named}, when: {{endpoint: /hard}}, to: B}}], {HERE}", THREE, router(0.5))
    assert found.tiers == "BAC"
    assert found.steps[0] == "learned router: gain >= 0.5"
    assert found.report.totals["classifier_count"] == 2


@pytest.mark.parametrize(
    ("routing", "bound", "promised"),
    [
        (HERE, 0.02, 0.02),
        (HERE, None, None),
        ("classifier: {file: router.json, min_confidence: 51%}", 0.02, 0.02),  # gains up to 0.49: fewer than promised
        ("classifier: {file: router.json, min_confidence: 50%}", 0.02, None),  # a gain of 0.5 goes cheap as well
    ],
)
def test_the_bound_is_told_only_where_it_holds(routing: str, bound: float | None, promised: float | None) -> None:
    report = Routed(routing, THREE, router(0.5, bound)).report
    name = "classifier_loss_bound_ratio"
    assert report.totals.get(name) == promised
    (row,) = report.tables["classifier"].dicts()
    assert row["loss_bound_ratio"] == promised
    is_beyond = bound is not None and promised is None
    seen = (None, None) if is_beyond else (0.9, 0.01)
    assert (row["label_count"], row["confidence_ratio"], row["seen_loss_ratio"]) == (1500, *seen)
    assert row["what"].startswith("what it promises and has seen does not hold here: not identifiable") == is_beyond
    assert ("W298" in [one.code for one in report.warnings]) == is_beyond
    status, missing = report.provenance["status"], report.provenance["not_computed"]
    assert isinstance(status, dict)
    assert isinstance(missing, dict)
    assert status.get(name) == (None if promised is None else "bounded")
    assert (name in missing) == (promised is None)
    assert [row["apgr"] for row in report.tables["classifier_evidence"].dicts()] == [0.6]


def test_what_was_lost_on_unseen_groups_stands_beside_the_promise() -> None:
    made = router(0.5, 0.02)
    row = {"split": "unseen groups", "router": "learned", "apgr": 0.6, "loss_ratio": 0.33, "cheap_ratio": 1.0}
    report = Routed(HERE, THREE, replace(made, evidence=(row,))).report
    (told,) = report.tables["classifier"].dicts()
    assert (told["loss_bound_ratio"], told["unseen_loss_ratio"], told["unseen_cheap_ratio"]) == (0.02, 0.33, 1.0)
    (said,) = [one.message for one in report.warnings if one.code == "W287"]
    assert said == (
        "on groups that it had not seen router.json lost 33.0%: its bound of 2.0% holds for traffic like its labels"
    )
    kept = Routed(HERE, THREE, replace(made, evidence=({**row, "loss_ratio": 0.01},))).report
    assert not [one for one in kept.warnings if one.code == "W287"]


def test_a_router_that_never_chooses_the_cheaper_model_is_told() -> None:
    codes = [one.code for one in Routed(HERE, THREE, router(0.0, None)).report.warnings]
    assert "W300" in codes
    assert "W300" not in [one.code for one in Routed(HERE, THREE, router(0.5, None)).report.warnings]


def test_without_the_key_nothing_is_told() -> None:
    report = Routed("default: A", THREE, router()).report
    assert "classifier" not in report.tables
    missing = report.provenance["not_computed"]
    assert isinstance(missing, dict)
    assert missing["classifier_count"] == "the policy has no `routing: {classifier: ...}`"


def test_the_tiers_are_the_first_that_name_the_models() -> None:
    tiers = "tiers: {A: {models: [gpt-4.1-mini]}, B: {models: [gpt-4o-mini, gpt-4.1-mini]}, C: {models: [gpt-4o]}}\n"
    assert Routed(HERE, THREE, router(0.5), tiers).tiers == "CBC"


@pytest.mark.parametrize(
    ("tiers", "models", "said"),
    [
        (TIERS, ("gpt-4o-mini", "claude-opus-4"), "no tier of the policy has 'claude-opus-4'"),
        (TIERS, ("gpt-4o", "gpt-4o-mini"), "its cheaper model stands in tier C, its dearer one in tier A"),
        (TIERS, (None, None), "it does not name its two models, and the policy has 3 tiers"),
        ("tiers: {A: {models: [gpt-4o-mini, gpt-4o]}}\n", MODELS, "its cheaper model stands in tier A, its dearer"),
    ],
)
def test_a_router_that_does_not_fit_the_tiers_is_refused(
    tiers: str, models: tuple[str | None, str | None], said: str
) -> None:
    with pytest.raises(CostctlError) as raised:
        Routed(HERE, THREE, router(models=models), tiers)
    assert raised.value.code == "E463"
    assert said in raised.value.message
    assert "router.json" in raised.value.message


def test_a_router_without_names_goes_between_the_two_tiers_of_the_policy() -> None:
    tiers = "tiers: {A: {models: [gpt-4.1-mini]}, B: {models: [gpt-4o]}}\n"
    found = Routed(HERE, THREE, router(models=(None, None)), tiers)
    assert found.tiers == "BAB"
    assert "W258" in found.codes()


def test_what_lessens_the_promise_is_said() -> None:
    assert Routed(HERE, THREE, router()).codes() & {"W256", "W257", "W258", "W259"} == {"W256"}
    assert "W257" in Routed(HERE, THREE, router(is_forced=True)).codes()
    other = "tiers: {A: {models: [gpt-4.1-mini, gpt-4o-mini]}, C: {models: [gpt-4o]}}\n"
    found = Routed(HERE, THREE, router(0.7), other)  # the cheaper tier asks another model first
    assert [one.message for one in found.report.warnings if one.code == "W259"] == [
        "2 calls that the learned router decided are answered by another model than it chose: "
        "there what router.json knows of the loss does not hold"
    ]


def test_a_call_that_a_raise_takes_to_the_dearer_model_is_no_such_call() -> None:
    raised = f"{HERE}, raise: [{{name: up, when: {{endpoint: /easy}}, to: C}}]"
    assert "W259" not in Routed(raised, THREE, router(0.7)).codes()


def test_the_router_stays_in_replays_beside_the_main_one() -> None:
    found = Routed(HERE, THREE, router(0.5), is_staged=True)
    assert list(found.report.tables["staged"].dicts())[-1]["policy_cost_usd"] == found.report.totals["policy_cost_usd"]


def test_twice_the_volume_is_routed_twice() -> None:
    found = Routed(HERE, THREE, router(0.5), f"{TIERS}scenarios: {{volume_ratio: 2}}\n")
    _, row = found.report.tables["scenarios"].dicts()
    assert row["policy_cost_usd"] == 2 * Decimal(str(found.report.totals["policy_cost_usd"]))


def test_what_a_raise_adds_to_the_prompt_goes_by_the_routers_tier() -> None:
    """The raise lifts only what the router sent below B: the call at /easy, by 12 / 4 tokens."""
    text = f"{HERE}, raise: [{{name: up, when: {{turn_count: 1}}, to: B, add_instruction: Be accurate}}]"
    found = Routed(text, THREE, router(0.5))
    assert found.tiers == "CBC"
    assert [one["sent_input_tokens"] for one in found.made] == [5000, 5003, 5000]


def test_a_gain_is_shown_in_as_many_digits_as_tell_it_from_the_limit() -> None:
    assert told_reason("learned router: gain >= 0.25", 0.250004) == "learned router: gain 0.250004 >= 0.25"
    assert told_reason("learned router: gain >= 0.25", 0.25) == "learned router: gain 0.250000000 >= 0.25"
