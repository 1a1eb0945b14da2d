"""Reports of small simulations, as `--output json` tells them, and what one call costs in them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import costctl.report
from costctl.cli import run
from costctl.errors import CostctlError
from costctl.policy.load import parse_policy
from costctl.prices.book import load_book
from costctl.replay.run import simulate
from tests.replay.compare import SEED, Bench
from tests.replay.policies import Maker, text_of
from tests.replay.test_keys import ASSUME, COLUMNS, TIERS, request
from tests.support import write_log

__all__ = ["ASSUME", "A_USD", "B_USD", "C_USD", "TIERS", "Reports", "request", "simulated_policies", "usd"]

# A thousand tokens in and a hundred out, on the models of TIERS.
A_USD, B_USD, C_USD = Decimal("0.00021"), Decimal("0.00056"), Decimal("0.0035")
Report = dict[str, Any]


def usd(text: str) -> Decimal:
    """Dollars of a report."""
    return Decimal(text)


class Reports:
    """Simulates requests under policies in one folder."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.log, self.policy = folder / "log.csv", folder / "policy.yaml"

    def write(self, policy: str, requests: Sequence[tuple[Any, ...]]) -> None:
        write_log(self.log, [COLUMNS, *requests])
        self.policy.write_text("version: 1\n" + policy, "utf-8")

    def said(self, *options: str, output: str = "json") -> tuple[int, str, str]:
        """Exit code, standard output and standard error of a simulation."""
        where = ["--policy", str(self.policy), "--db", str(self.folder / "c.duckdb"), "--output", output]
        code = run(["simulate", str(self.log), *where, *options])
        captured = self._capsys.readouterr()
        return code, captured.out, captured.err

    def out(self) -> str:
        """Standard output of the command that ran last."""
        return self._capsys.readouterr().out

    def __call__(self, policy: str, requests: Sequence[tuple[Any, ...]], *options: str) -> Report:
        self.write(policy, requests)
        code, out, err = self.said(*options)
        assert code == 0, err
        report: Report = json.loads(out)
        return report

    def scores(self, text: str) -> str:
        """A file of scores."""
        path = self.folder / "scores.txt"
        path.write_text(text, "utf-8")
        return str(path)


def simulated_policies(bench: Bench, seed: str, count: int) -> Iterator[tuple[dict[str, Any], costctl.report.Report]]:
    """Policies that use every key, with their reports; not those that this log cannot answer (E412, E416)."""
    maker, book = Maker(seed, bench.size()), load_book()
    while count:
        policy = maker.policy()
        policy["routing"].pop("classifier", None)  # these runs have no file of a router
        try:
            report = simulate(bench.store, parse_policy(text_of(policy), "p"), book, SEED)
        except CostctlError as error:
            assert error.code in {"E412", "E416"}, error
            continue
        count -= 1
        yield policy, report
