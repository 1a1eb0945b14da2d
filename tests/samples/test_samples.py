"""The sample logs of the repository: as the generator writes them, and read as it expects."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
import zstandard

from costctl.errors import CostctlError
from costctl.samples import write_samples
from costctl.samples.__main__ import main
from costctl.samples.texts import MESSAGES
from costctl.samples.write import MAPPED, SMALL_LOGS
from tests.support import ROOT, SHARED, audited, needs_shared

FOLDER = ROOT / "sample_logs"
FILE_COUNT = len(SMALL_LOGS) + 4  # the story, its truth, the expectations, a mapping
EXPECTED: dict[str, dict[str, int]] = yaml.safe_load((FOLDER / "expected.yaml").read_text("utf-8"))
TOTALS = {
    "records_read": "records_read_count",
    "merged": "merged_count",
    "ignored": "ignored_count",
    "rejected": "rejected_count",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    write_samples(folder)
    return folder


def content(path: Path) -> Any:
    """What a file says, whatever version of a library packed it."""
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".zst":
        return zstandard.ZstdDecompressor().decompress(path.read_bytes())
    if path.suffix == ".parquet":
        return pl.read_parquet(path).to_dicts()
    return path.read_bytes()


def test_the_same_seed_writes_the_same_bytes(made: Path, tmp_path: Path) -> None:
    written = write_samples(tmp_path)
    assert len(written) == FILE_COUNT
    assert all(path.read_bytes() == (made / path.name).read_bytes() for path in written)


def test_the_repository_holds_what_the_generator_writes(made: Path) -> None:
    names = {path.name for path in made.iterdir()}
    assert {path.name for path in FOLDER.iterdir()} - {"README.md"} == names
    for name in sorted(names):
        assert content(FOLDER / name) == content(made / name), f"{name}: run python -m costctl.samples sample_logs"


def test_another_seed_writes_other_logs(made: Path, tmp_path: Path) -> None:
    write_samples(tmp_path, seed=8, requests=100)
    assert (tmp_path / "generic.jsonl").read_bytes() != (made / "generic.jsonl").read_bytes()


def test_samples_stay_small() -> None:
    assert (FOLDER / "story.jsonl.gz").stat().st_size < 900_000
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1_200_000


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_no_record_is_unaccounted_for(name: str) -> None:
    counts = EXPECTED[name]
    accepted = counts["request_count"] + counts.get("aggregate_row_count", 0)
    assert counts["records_read"] == accepted + sum(counts[key] for key in ("merged", "ignored", "rejected"))
    # What a batch asks is no request until it is answered.
    assert accepted >= 7 or counts["merged"] == counts["records_read"] >= 7


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_the_audit_finds_what_was_written(name: str, tmp_path: Path) -> None:
    mapping = (str(FOLDER / MAPPED[name]),) if name in MAPPED else ()
    report = audited(tmp_path, FOLDER / name, mapping=mapping)
    found = {key: report.totals[TOTALS.get(key, key)] for key in EXPECTED[name]}
    assert found == EXPECTED[name]
    # No record's own total contradicts what its format counts.
    assert "conventions" not in report.tables


def test_the_command_names_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "new" / "folder"), "--requests", "100", "--seed", "3"]) == 0
    named = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert len(named) == FILE_COUNT
    assert all(path.is_file() for path in named)


def test_a_folder_that_cannot_be_made_is_the_users_trouble(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(CostctlError, match="cannot write samples"):
        write_samples(tmp_path / "taken")
    assert main([str(tmp_path / "taken")]) == 2
    assert "cannot write samples" in capsys.readouterr().err


@needs_shared
@pytest.mark.shared
def test_no_sentence_comes_from_the_real_data() -> None:
    """None of our templates that says more than a greeting occurs in the logs we learned the shapes from."""
    logs = [path for path in (SHARED / "log_samples").rglob("*.json*") if path.stat().st_size < 2_000_000]
    text = "".join(path.read_text("utf-8", "replace") for path in logs)
    text += gzip.decompress((SHARED / "data/support_bot/requests.jsonl.gz").read_bytes()).decode()
    templates = [one for kinds in MESSAGES.values() for both in kinds.values() for one in both]
    ours = [part for part in (one.split("{")[0] for one in templates) if len(part) > 25]
    assert len(ours) > 50
    spellings = sorted({*ours, *(json.dumps(one)[1:-1] for one in ours)})
    assert pl.Series([text]).str.extract_many(spellings).to_list() == [[]]
