"""A profile is replayed as its log is, to the last digit, and holds none of its texts."""

from __future__ import annotations

import gzip
import json
import random
import re
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest

from costctl.cli import run
from costctl.formats import profile as form
from costctl.replay.reading_told import COUNTS
from costctl.request import COLUMNS
from tests.replay.profiles import SECRETS, make_calls, write_logs
from tests.support import ROOT, SHARED, needs_shared

SALT = "a salt for the tests only"
TIERS = """
version: 1
tiers:
  A: {models: [gpt-4o-mini], max_output_tokens: 200, temperature: 0.2}
  B: {models: [claude-3-5-haiku-20241022], timeout_s: 20}
  C: {models: [gpt-4o]}
"""
VALIDATE = "post_process: {validate: {allowed_tags: [p], no_contacts: true}}\n"
POLICIES = {
    "exact cache": "cache: {exact: {ttl: 2h, scope: [user_profile, app], capacity: 50}}\n",
    "semantic cache": "cache: {semantic: {serve_min: 0.9, refresh_min: 0.8, refresh_tier: A, ttl: 12h}}\n"
    "routing: {default: C}\n",
    "key parts": "cache: {semantic: {serve_min: 0.8, ttl: 24h, key: [intent, origin, duration_days, team]}}\n",
    "prompt cache": "cache: {prompt: {providers: auto, opt_in: [anthropic]}}\nrouting: {default: B}\n",
    "rules and intents": "routing: {default: A, rules: [{name: code, when: {has_code: true}, to: C}], "
    "matrix: {faq: A, greeting: A, itinerary_short: C}, raise: [{name: facts, when: {external_facts: true}, to: C, "
    "add_instruction: 'Do not invent.'}], floors: [{name: paid, when: {user_profile: paid}, at_least: B}], "
    "sticky: session}\n",
    "budgets": "routing: {default: C}\nbudgets: {usd_per_day: 0.2, max_share_per_day: {C: 20%}, "
    "tokens_per_day: [{user_profile: free, max: 2k}]}\n",
    "attempts": "routing: {default: A}\nretries: {max: 1, on: [rate_limit]}\nfallbacks: {A: [B]}\n"
    "hedge: {tier: A, after_s: 2}\nescalate: {from: A, to: C, when: [truncated, refusal], ratio: 8%}\n",
    "volume": "routing: {default: A}\ncache: {exact: {ttl: 2h}, prompt: {providers: auto}}\n"
    "scenarios: {volume_ratio: 1.5}\n",
    "validate": "routing: {default: A}\n" + VALIDATE,
}  # fmt: skip


class Pair(NamedTuple):
    """A log with its workspace, its profile with another, and a folder for the rest."""

    folder: Path
    logs: list[Path]
    profile: Path


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("profiled")
    logs, policy = write_logs(folder), folder / "validate.yaml"
    policy.write_text(TIERS + VALIDATE, "utf-8")
    assert profiled(folder, logs, "profile.parquet", "--policy", str(policy)) == 0
    return Pair(folder, logs, folder / "profile.parquet")


def profiled(folder: Path, logs: list[Path], name: str, *more: str, db: str = "log") -> int:
    """Write a profile; the exit code."""
    words = ["profile", *map(str, logs), "-o", str(folder / name), "--db", str(folder / db / "c.duckdb"), *more]
    return run(words if "--salt" in more else [*words, "--salt", SALT])


def simulated(pair: Pair, inputs: list[Path], policy: str, *more: str, db: str = "log") -> str:
    """The JSON of a simulation, without the names of its inputs."""
    file, out = pair.folder / "policy.yaml", pair.folder / f"{db}.json"
    file.write_text(TIERS + policy, "utf-8")
    words = ["simulate", *map(str, inputs), "--policy", str(file), "--db", str(pair.folder / db / "c.duckdb")]
    assert run([*words, "--output", "json", "-o", str(out), *more]) == 0
    text, count = re.subn(r'"logs": ?\[[^\]]*\]', '"logs": []', out.read_text("utf-8"))
    assert count == 1
    return text


def of_calls(text: str) -> dict[str, Any]:
    """The simulation without what is told of its file alone: a profile has no merged record to look at."""
    report: dict[str, Any] = json.loads(text)
    report["warnings"] = [one for one in report["warnings"] if one["code"] != "W113"]
    return report


@pytest.mark.parametrize("name", POLICIES)
def test_a_profile_gives_the_simulation_of_its_log(pair: Pair, name: str) -> None:
    """Byte for byte, but for the name of the input."""
    of_log = simulated(pair, pair.logs, POLICIES[name])
    assert simulated(pair, [pair.profile], POLICIES[name], "--threads", "1", db="other") == of_log
    totals = json.loads(of_log)["totals"]
    moved = {"exact cache": "exact_hit_ratio", "semantic cache": "semantic_refresh_ratio", "volume": "exact_hit_ratio",
             "key parts": "semantic_hit_ratio", "prompt cache": "prompt_cache_read_ratio", "attempts": "retry_count",
             "budgets": "degraded_count"}  # fmt: skip
    assert totals[moved.get(name, "moved_count")] > 0  # the policy does something here


@pytest.mark.parametrize(
    "name",
    ["claude_code.jsonl", "otlp_traces.jsonl", "langsmith_runs.jsonl", "litellm_spend.csv", "burstgpt_trace.csv"],
)
def test_other_formats_are_replayed_alike(name: str, tmp_path: Path) -> None:
    """Logs of agents, traces whose spans were merged, tables, and offsets in place of times."""
    log = ROOT / "sample_logs" / name
    assert profiled(tmp_path, [log], "sample.parquet") == 0
    here = Pair(tmp_path, [log], tmp_path / "sample.parquet")
    policy = POLICIES["attempts"] + "cache: {exact: {ttl: 2h}, prompt: {providers: auto}}\n"
    policy += "assume: {output_tokens_ratio: 1, input_tokens_ratio: 1, first_token_ms: 400, output_tokens_per_s: 50}\n"
    of_profile, of_log = (
        of_calls(simulated(here, [one], policy, db=db)) for one, db in ((here.profile, "other"), (log, "log"))
    )
    assert of_profile == of_log


def test_gates_on_the_records_of_the_log_are_judged_as_over_the_log(tmp_path: Path) -> None:
    """Of 41 records one is a repeat and one is not JSON; the rows of the profile are what was left."""
    (log,) = write_logs(tmp_path, count=39)[:1]
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*lines, lines[0], b"{]\n"]))
    assert profiled(tmp_path, [log], "p.parquet") == 0
    here = Pair(tmp_path, [log], tmp_path / "p.parquet")
    gates = "gates: [{gate: 'rejected_count <= 0', level: warn}, {gate: 'merged_count <= 0', level: warn}]\n"
    policy = "routing: {default: A}\n" + gates
    of_log, of_profile = (
        json.loads(simulated(here, [one], policy, db=db)) for one, db in ((log, "log"), (here.profile, "other"))
    )
    assert of_profile["tables"]["gates"] == of_log["tables"]["gates"]
    assert [(row["verdict"], row["value"]) for row in of_log["tables"]["gates"]] == [("FAIL", "1"), ("FAIL", "1")]
    assert {name: of_profile["totals"][name] for name in COUNTS} == {name: of_log["totals"][name] for name in COUNTS}
    assert of_log["totals"]["records_read_count"] == len(lines) + 2


def test_a_profile_of_before_does_not_know_what_was_rejected(pair: Pair) -> None:
    """It tells no counts: a gate on them has no verdict, and does not pass on the rows of the profile."""
    old = changed(pair, pair.folder / "old.parquet", reading=None)
    policy = "routing: {default: A}\ngates: [{gate: 'rejected_count <= 0', level: warn}]\n"
    found = json.loads(simulated(pair, [old], policy, db="old"))
    assert [row["verdict"] for row in found["tables"]["gates"]] == ["NOT RUN"]
    assert "write it anew" in found["tables"]["gates"][0]["reason"]
    assert not found["totals"].keys() & set(COUNTS)
    assert found["provenance"]["not_computed"].keys() >= set(COUNTS)


def test_wrong_answers_are_judged_as_over_the_log(pair: Pair) -> None:
    told = json.loads(simulated(pair, [pair.profile], POLICIES["semantic cache"], db="other"))
    assert told["totals"]["wrong_per_hit_ratio"] > 0
    assert told["provenance"]["status"]["wrong_per_hit_ratio"] == "estimated"


def test_scores_are_joined_by_the_request_ids_that_it_keeps(pair: Pair) -> None:
    ids = [row["request_id"] for row in make_calls(3, 900) if row["request_id"] and row["status"] == "ok"]
    scores = pair.folder / "scores.jsonl"
    lines = [{"request_id": one, "model": "gpt-4o-mini", "score": len(one) % 2} for one in ids]
    scores.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    policy, more = POLICIES["rules and intents"], ("--scores", str(scores))
    of_log = simulated(pair, pair.logs, policy, *more)
    assert simulated(pair, [pair.profile], policy, *more, db="other") == of_log
    assert json.loads(of_log)["totals"]["quality_evidence_count"] > 100


def test_it_is_remembered_when_the_file_is_gone(pair: Pair, tmp_path: Path) -> None:
    copy = tmp_path / "copy.parquet"
    copy.write_bytes(pair.profile.read_bytes())
    policy = POLICIES["semantic cache"]
    first = simulated(pair, [copy], policy, db="gone")
    copy.unlink()
    assert simulated(pair, [], policy, db="gone") == first


def test_calibration_comes_to_the_same(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    told = []
    for db, inputs in (("log", pair.logs), ("other", [pair.profile])):
        simulated(pair, inputs, POLICIES["semantic cache"], db=db)
        capsys.readouterr()
        words = ["calibrate", "--policy", str(pair.folder / "policy.yaml"), "--max-wrong", "0.5"]
        code = run([*words, "--db", str(pair.folder / db / "c.duckdb")])
        told.append((code, capsys.readouterr().out))
    assert told[0] == told[1]


def everything(path: Path) -> str:
    """All values of a Parquet file as text, and its metadata."""
    frame = pl.read_parquet(path)
    values = [str(value) for name in frame.columns for value in frame[name].unique(maintain_order=True).to_list()]
    return "\n".join([*values, *pl.read_parquet_metadata(path).values()])


def test_no_text_and_no_id_of_a_user_is_in_it(pair: Pair) -> None:
    text = everything(pair.profile)
    rows = make_calls(3, 900)
    said = {message["content"] for row in rows for message in row["messages"] if len(message["content"]) > 5}
    said |= {row[name] for row in rows for name in ("response", "user_id", "conversation_id") if row[name]}
    said |= {row["trace_id"] for row in rows if "trace_id" in row}
    assert len(said) > 400
    assert [one for one in (*said, *SECRETS) if one in text] == []
    assert "rate_limit" in text  # the class of a failure whose text held a prompt


def test_every_column_of_a_request_is_carried_hashed_or_left_out() -> None:
    groups = [*form.CARRIED, *form.HASHED, *form.NUMBERED, *form.NAMED, *form.LEFT_OUT]
    assert sorted(groups) == sorted(column.name for column in COLUMNS)
    assert set(form.SCHEMA) == {*groups, *form.BESIDE} - set(form.LEFT_OUT)


def test_equal_salts_give_equal_bytes_and_a_new_salt_other_ids(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = ("--policy", str(pair.folder / "validate.yaml"))
    assert profiled(pair.folder, pair.logs, "again.parquet", *policy, "--threads", "1", db="fresh") == 0
    assert (pair.folder / "again.parquet").read_bytes() == pair.profile.read_bytes()
    monkeypatch.delenv("COSTCTL_PROFILE_SALT", raising=False)
    words = ["profile", *map(str, pair.logs), "--db", str(pair.folder / "log" / "c.duckdb"), "-o"]
    users = []
    for name in ("new.parquet", "newer.parquet"):
        assert run([*words, str(pair.folder / name)]) == 0
        users.append(set(pl.read_parquet(pair.folder / name)["user_id"].to_list()))
    assert len(users[0]) == len(users[1]) == 40
    assert not users[0] & users[1]


def test_api_keys_and_callers_are_hashed_alike_in_any_workspace(tmp_path: Path) -> None:
    """Keys of the log's own stay apart, also within a call; no caller is told, and a hash rests on the salt alone."""
    rows = make_calls(5, 30)
    for number, row in enumerate(rows):
        row |= {"api_key": f"sk-secret-{number % 4}", "caller": f"ana {number % 3}"}
    (log := tmp_path / "l.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    made = []
    for name in ("one", "two"):
        assert profiled(tmp_path, [log], f"{name}.parquet", db=name) == 0
        made.append((tmp_path / f"{name}.parquet").read_bytes())
    assert made[0] == made[1]
    frame = pl.read_parquet(tmp_path / "one.parquet")
    assert (frame["api_key_id"].n_unique(), frame["caller"].n_unique()) == (4, 3)
    assert "ana" not in everything(tmp_path / "one.parquet")
    assert "secret" not in everything(tmp_path / "one.parquet")


REFUSED = {
    "a threshold below what it carries": ("cache: {semantic: {serve_min: 0.79, ttl: 1h}}\n", "E423", "0.80"),
    "a refresh below it": (
        "cache: {semantic: {serve_min: 0.9, refresh_min: 0.7, refresh_tier: A, ttl: 1h}}\n", "E423", "refresh_min",
    ),
    "a user by name": ("budgets: {tokens_per_day: [{user: customer-001, max: 1k}]}\n", "E422", "customer-001"),
    "a user in a rule": (
        "routing: {rules: [{name: one, when: {not: {user_id: customer-002}}, to: A}]}\n", "E422", "customer-002",
    ),
    "a caller in a rule": (
        "routing: {rules: [{name: one, when: {caller_not: planner}, to: A}]}\n", "E422", "planner",
    ),
    "arms of users": ("experiments: [{name: x, unit: user, arms: {a: 50%, b: 50%}}]\n", "E422", "experiments"),
    "other rules for answers": ("post_process: {validate: {allowed_tags: [b]}}\n", "E424", "--policy"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_it_cannot_answer_is_refused(pair: Pair, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    policy, code, word = REFUSED[name]
    file = pair.folder / "refused.yaml"
    file.write_text(TIERS + policy, "utf-8")
    words = ["simulate", str(pair.profile), "--policy", str(file), "--db", str(pair.folder / "other" / "c.duckdb")]
    assert run(words) == 4
    said = capsys.readouterr().err
    assert code in said
    assert word in said


def test_another_embedding_is_refused(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    file = pair.folder / "embedding.yaml"
    file.write_text(TIERS + POLICIES["key parts"], "utf-8")
    words = ["simulate", str(pair.profile), "--policy", str(file), "--db", str(pair.folder / "other" / "c.duckdb")]
    assert run([*words, "--embedding", "model2vec:other"]) == 4
    assert "E423" in capsys.readouterr().err


def test_it_is_audited_with_what_it_holds(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    totals = []
    for db, inputs in (("log", pair.logs), ("other", [pair.profile])):
        words = ["audit", *map(str, inputs), "--db", str(pair.folder / db / "c.duckdb"), "--output", "json"]
        assert run([*words, "--near-repeats"]) == 0
        report = json.loads(capsys.readouterr().out)
        totals.append({name: value for name, value in report["totals"].items() if not name.startswith("lines_read")})
    assert totals[0] == totals[1]
    note = next(row["note"] for row in report["tables"]["anatomy"] if row["class"] == "near_repeat")
    assert "a profile holds no text" in note


def test_formats_lists_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["formats", "--output", "json"]) == 0
    assert form.NAME in {row["format"] for row in json.loads(capsys.readouterr().out)["tables"]["formats"]}


def changed(pair: Pair, target: Path, frame: pl.DataFrame | None = None, **told: Any) -> Path:
    """The profile with another frame or other words about itself."""
    said = json.loads(pl.read_parquet_metadata(pair.profile)[form.KEY]) | told
    frame = pl.read_parquet(pair.profile) if frame is None else frame
    frame.write_parquet(target, metadata={form.KEY: json.dumps(said)})
    return target


def refusal(capsys: pytest.CaptureFixture[str], tmp_path: Path, *words: str) -> str:
    """What an audit says that is refused."""
    assert run(["audit", *words, "--db", str(tmp_path / "w" / "c.duckdb")]) == 3
    return capsys.readouterr().err


def test_other_versions_are_refused(pair: Pair, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for version in (0, 2, "1", None):
        said = refusal(capsys, tmp_path, str(changed(pair, tmp_path / "p.parquet", version=version)))
        assert "E127" in said
        assert f"of version {version};" in said


def test_a_changed_profile_is_refused_and_never_crashes(
    pair: Pair, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame, target = pl.read_parquet(pair.profile), tmp_path / "p.parquet"
    faults = {
        "without its columns": frame.drop("near_ppb"),
        "not its columns": frame.with_columns(prompt=pl.lit("words")),
        "rows, not": frame.head(10),
        "out of bounds: output_tokens": frame.with_columns(output_tokens=pl.lit(-5, pl.Int64)),
        "out of bounds: near_texts": frame.with_columns(
            near_texts=pl.when(pl.col("near_texts").is_not_null()).then(pl.lit([9**9], pl.List(pl.Int32)))
        ),
        "out of bounds: status": frame.with_columns(status=pl.lit("fine")),
        "a text of which nothing is told": frame.with_columns(
            text_number=pl.col("text_number") + pl.lit(1, pl.Int32), near_texts=None, near_ppb=None, guard=None,
            slots=None,
        ).cast({"near_texts": pl.List(pl.Int32), "near_ppb": pl.List(pl.Int32), "guard": pl.Int32,
                "slots": pl.List(pl.Int32)}),
    }  # fmt: skip
    for why, one in faults.items():
        said = refusal(capsys, tmp_path, str(changed(pair, target, one)))
        assert "E128" in said, why
        assert why in said
    target.write_bytes(pair.profile.read_bytes()[:-3000])
    assert "E112" in refusal(capsys, tmp_path, str(target))
    texts = json.loads(pl.read_parquet_metadata(pair.profile)[form.KEY])["texts"]
    told: list[dict[str, Any]] = [
        {"row_count": "many"}, {"texts": 3}, {"texts": texts | {"test": [1]}}, {"texts": texts | {"embedding": 1}},
        {"texts": texts | {"test": texts["test"] | {"unlike": [0.1]}}}, {"texts": {}}, {"router": 4}, {"more": 1},
        {"reading": {"records_read_count": 1}}, {"reading": dict.fromkeys(COUNTS, 1)},
    ]  # fmt: skip
    for one in told:
        assert "E128" in refusal(capsys, tmp_path, str(changed(pair, target, **one))), one


def test_it_stands_alone_and_is_read_in_one_way(pair: Pair, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("version: 1\n", "utf-8")
    for more in ([str(pair.logs[0])], ["--map", "app=team"], ["--cached-in-input", "no"]):
        assert "E129" in refusal(capsys, tmp_path, str(pair.profile), *more)
    said = refusal(capsys, tmp_path, str(changed(pair, tmp_path / "p.parquet", rules="other")))
    assert "tier rules" in said


def test_a_profile_of_a_profile_and_a_weak_salt_are_refused(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    assert profiled(pair.folder, [pair.profile], "twice.parquet", db="other") == 4
    assert "E424" in capsys.readouterr().err
    assert profiled(pair.folder, pair.logs, "weak.parquet", "--salt", "12345") == 2
    assert "E425" in capsys.readouterr().err
    assert not list(pair.folder.glob("*weak*"))


@needs_shared
def test_a_profile_of_a_week_of_support_is_small_and_holds_no_text(tmp_path: Path) -> None:
    """Below 4 MB; none of 1,000 prompts and of all users is in it."""
    log = SHARED / "data" / "support_bot" / "requests.jsonl.gz"
    assert profiled(tmp_path, [log], "week.parquet") == 0
    assert (tmp_path / "week.parquet").stat().st_size < 4_000_000
    with gzip.open(log, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    prompts = sorted({one["content"] for row in rows for one in row.get("messages") or () if one["role"] == "user"})
    sampled = random.Random(7).sample(prompts, 1_000)
    users = {row["user_id"] for row in rows if row.get("user_id")}
    text = everything(tmp_path / "week.parquet")
    words = set(text.split("\n"))
    assert len(users) > 1_000
    assert [one for one in sampled if one in (text if len(one) > 12 else words)] == []
    assert users & words == set()
