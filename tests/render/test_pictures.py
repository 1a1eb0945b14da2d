"""Pictures in the terminal and in Markdown: as they look, for points worked out by hand."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from costctl.render.markdown import to_markdown
from costctl.render.people import to_terminal
from costctl.render.pictures import picture
from costctl.render.plot import Axis, Bar, Scales, Series, bars, plane, round_end
from costctl.report import Report, Table
from tests.replay.reports import ASSUME, TIERS, Reports, request

CURVE = ("serve_min", "semantic_hit_count", "semantic_hit_ratio", "own_prompt_hit_count", "wrong_per_hit_ratio",
         "wrong_per_hit_ratio_low", "wrong_per_hit_ratio_high", "is_policy")  # fmt: skip
THRESHOLDS = (
    ("0.80", 60, 0.6, 0, 0.5, 0.25, 0.75, False),
    ("0.90", 30, 0.3, 0, 0.25, 0.0, 0.5, True),
    ("0.99", 1, 0.01, 0, None, None, None, False),
    ("1.00", 0, 0.0, 0, None, None, None, False),
)
REFERENCES = ("reference", "cost_usd", "share_ratio", "left_as_logged_count", "scored_count", "mean_score", "what")


def report(command: str, table: Table, **totals: Any) -> Report:
    return Report(command, totals, {table.name: table}, (), {"status": {}, "not_computed": {}})


def semantic(rows: Any = THRESHOLDS) -> Report:
    return report("simulate", Table.of("semantic_curve", CURVE, rows))


def references(**other: Any) -> Report:
    rows = [
        ("policy", Decimal("0.5"), None, None, 10, 0.9, ""),
        ("best_single_model", Decimal("0.25"), None, 0, 10, 0.6, "small, keeps every call"),
        ("random_at_equal_cost", Decimal("0.5"), 0.3, None, 10, 0.75, "share of large"),
        ("oracle", Decimal("0.4"), None, None, 10, 1.0, ""),
        (other.get("name", "all on large"), Decimal(1), None, 0, 10, 0.9, ""),
        ("all on nobody", None, None, 0, 0, None, ""),
    ]
    return report("simulate", Table.of("references", REFERENCES, rows))


def test_hits_and_wrong_answers_by_threshold() -> None:
    """Rooms of 27 characters: 0.3 of 0.6 is half of it, 1/60 of it an eighth at least; 0.25 of 0.8 is place 8."""
    assert (
        "\n".join(picture(semantic(), "semantic_curve", 80))
        == """\
HITS AND WRONG ANSWERS BY THRESHOLD (▸ the policy's)
         hits of all calls                    wrong per hit, 0 to 80.0 %
    0.80 ███████████████████████████ 60.0 %           ├───────●───────┤   50.0 %
  ▸ 0.90 █████████████▌              30.0 %   ├───────●───────┤           25.0 %
    0.99 ▌                            1.0 %                               ?
    1.00                              0.0 %                               no hit"""
    )


def test_without_answers_the_picture_says_that_nothing_is_known() -> None:
    rows = [(*row[:4], None, None, None, row[7]) for row in THRESHOLDS]
    drawn = picture(semantic(rows), "semantic_curve", 80)
    assert "wrong per hit: not known" in drawn[1]
    assert not any("●" in line for line in drawn)


def test_where_wrong_answers_are_only_bounded_the_picture_shows_the_most() -> None:
    rows = [(*row[:4], None, row[5], row[6], row[7]) for row in THRESHOLDS]
    drawn = picture(semantic(rows), "semantic_curve", 80)
    assert drawn[2].endswith("┤   ≤ 75.0 %")
    assert not any("●" in line for line in drawn)


def test_without_a_hit_there_is_no_picture() -> None:
    assert picture(semantic(THRESHOLDS[3:]), "semantic_curve", 80) == []


def test_cost_and_quality_beside_the_references() -> None:
    assert (
        "\n".join(picture(references(), "references", 60))
        == """\
COST AGAINST QUALITY: where marks meet, the one listed first is seen
  mean score
  1.000┤                    O
       │
       │
       │                         P                        a
       │
       │
  0.801┤
       │
       │                         R
       │
       │
       │
       │            B
  0.568┤
       └───────────────────────────────────────────────────
        $0.00                  $0.50                  $1.00
                                                       cost
  P  policy: $0.50, 0.900 of 10 scores
  O  oracle: $0.40, 1.000 of 10 scores
  B  best single model (small, keeps every call): $0.25, 0.600 of 10 scores
  R  random at equal cost: $0.50, 0.750 of 10 scores
  a  all on large: $1.00, 0.900 of 10 scores"""
    )


def test_a_calibration_shows_the_bound_asked_for() -> None:
    columns = ("serve_min", "hit_count", "judged_count", "wrong_count", "wrong_ratio", "wrong_upper_ratio")
    rows = [("0.80", 40, 40, 10, 0.25, None), ("0.85", 30, 30, 3, 0.1, 0.21), ("0.90", 20, 20, 0, 0.0, 0.11)]
    made = report("calibrate", Table.of("thresholds", columns, rows), serve_min=0.9, wrong_max_ratio=0.2)
    assert (
        "\n".join(picture(made, "thresholds", 80))
        == """\
HITS ON OTHER PROMPTS AND WRONG PER HIT BY THRESHOLD (▸ the proposed one)
         hits in the window                 wrong ● bound ┤ asked ┊ to 25.0 %
    0.80 █████████████████████████████ 40                         ┊     ● 25.0 %
    0.85 █████████████████████▊        30              ●────────────┤     10.0 %
  ▸ 0.90 ██████████████▌               20   ●───────────┤         ┊       0.0 %"""
    )


def test_a_bound_per_request_stands_beside_what_is_wrong_per_request() -> None:
    columns = ("serve_min", "hit_count", "judged_count", "wrong_count", "wrong_ratio", "wrong_per_request_ratio",
               "wrong_upper_ratio")  # fmt: skip
    rows = [("0.80", 40, 40, 10, 0.25, 0.1, None), ("0.90", 20, 20, 2, 0.1, 0.02, 0.05)]
    table = Table.of("thresholds", columns, rows)
    made = Report("calibrate", {"serve_min": 0.9, "wrong_max_ratio": 0.06}, {"thresholds": table}, (),
                  {"per": "request"})  # fmt: skip
    heading, _, first, second = picture(made, "thresholds", 80)
    assert heading == "HITS ON OTHER PROMPTS AND WRONG PER REQUEST BY THRESHOLD (▸ the proposed one)"
    assert first.endswith("● 10.0 %")
    assert second.endswith(" 2.0 %")
    assert second.index("●") < second.index("┤") < second.index("┊")


def test_the_curve_of_a_router() -> None:
    rows = [
        *(("unseen groups", "learned", at, score) for at, score in ((0.0, 0.5), (0.5, 0.8), (1.0, 0.9))),
        *(("unseen groups", "random", at, score) for at, score in ((0.0, 0.5), (1.0, 0.9))),
        *(("unseen groups", "oracle", at, score) for at, score in ((0.0, 0.5), (0.25, 1.0), (1.0, 0.9))),
    ]
    made = report("train-router", Table.of("curve", ("split", "router", "dear_ratio", "mean_score"), rows))
    drawn = "\n".join(picture(made, "curve", 60))
    assert (
        drawn
        == """\
COST AGAINST QUALITY: where marks meet, the one listed first is seen
  mean score, unseen groups
  1.000┤            ooooooooo
       │           o         ooooooooooooooo
       │          o                         ooooooooooooooD
       │         o                             LLLLLLLLLLL
       │        o                    LLLLLLLLLL ·····
       │       o               LLLLLL     ······
  0.751┤      o             LLL      ·····
       │     o          LLLL    ·····
       │    o        LLL   ·····
       │   o     LLLL ·····
       │  o   LLL·····
       │ oLLLL··
       │CL·
  0.460┤
       └───────────────────────────────────────────────────
        0.0 %                50.0 %                 100.0 %
              share of requests that go to the dearer model
  C  the cheaper model alone
  D  the dearer model alone
  L  learned
  o  oracle
  ·  random"""
    )


def test_the_terminal_and_markdown_show_the_same_picture() -> None:
    made = report("calibrate", Table.of("curve", ("split", "router", "dear_ratio", "mean_score"),
                  [("in fold", "learned", 0.0, 0.5), ("in fold", "learned", 1.0, 0.9)]))  # fmt: skip
    drawn = picture(made, "curve", 80)
    assert "\n".join(drawn[1:]) in to_terminal(made, 80)
    assert "```text\n" + "\n".join(drawn[1:]) + "\n```" in to_markdown(made)
    assert max(map(len, to_terminal(made, 80).splitlines())) <= 80


def test_a_name_from_a_log_cannot_leave_the_picture() -> None:
    made = references(name="all on ```\n\x1b[31m<script>")
    text = to_markdown(made).split("```text\n")[1]
    assert text.count("```") == 1
    assert "\x1b" not in text
    assert "\\x0a\\x1b[31m" in text


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_no_line_is_wider_than_asked_for(width: int) -> None:
    for made, table in ((semantic(), "semantic_curve"), (references(), "references")):
        drawn = picture(made, table, width)[1:]
        names = [line for line in drawn if line[2:3].isalpha() and line[3:5] == "  "]
        assert max(len(line) for line in drawn if line not in names) <= min(width, 80)


def test_scales_end_at_round_numbers() -> None:
    assert [round_end(value) for value in (0.0, 0.011, 0.15, 0.21, 0.9, 7, 83, 4001)] == [
        1.0, 0.015, 0.15, 0.25, 1.0, 8.0, 100.0, 5000.0,
    ]  # fmt: skip


def test_what_is_above_nothing_is_seen_and_what_is_beyond_stays_inside() -> None:
    rows = [Bar("a", False, 1e-9, "", None, None, None, ""), Bar("b", True, 2.0, "", 0.0, 5.0, 9.0, "")]
    first, second = bars(rows, Scales("x", 1.0, "y", 1.0), 60)[1:]
    assert "▏" in first
    assert second.count("█") == 24
    assert "├" in second
    assert second.endswith("●")


def test_marks_that_meet_show_the_first() -> None:
    axis = Axis("", 0.0, 1.0, str)
    both = [Series("a", "", [(0.5, 0.5)]), Series("b", "", [(0.5, 0.5), (1.0, 1.0)])]
    text = "\n".join(plane(both, axis, axis, 40))
    assert (text.count("a"), text.count("b")) == (1, 1)


def test_a_simulation_with_scores_draws_cost_against_quality(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twenty calls, half of them leads on gpt-4o: right there always, on gpt-4o-mini every other time."""
    reports = Reports(tmp_path, capsys)
    routing = "routing: {default: A, rules: [{name: l, when: {endpoint: /lead}, to: C}]}\n"
    reports.write(TIERS + ASSUME + routing, [request(n, endpoint="/lead" if n % 2 else "/chat") for n in range(20)])
    lines = [f"r{n},{model},{score}" for n in range(20)
             for model, score in (("gpt-4o-mini", int(n % 4 < 2)), ("gpt-4o", 1))]  # fmt: skip
    scores = reports.scores("\n".join(["request_id,model,score", *lines]) + "\n")
    screen = reports.said("--scores", scores, output="table")[1]
    assert "COST AGAINST QUALITY" in screen
    assert "  P  policy: $0.04, 0.750 of 20 scores" in screen
    # Half of the calls at random on the dear model: half of its misses are mended too.
    assert "  R  random at equal cost: $0.04, 0.750 of 20 scores" in screen
    told = " ".join(screen.split())
    assert "B best single model (gpt-4o, keeps every call" in told
    assert "$0.07, 1.000 of 20 scores" in told
    markdown = reports.said("--scores", scores, output="markdown")[1]
    assert "```text\n  mean score\n" in markdown
