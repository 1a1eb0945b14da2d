"""`costctl gate`: the bounds of a run that was written before, and those of the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from costctl.errors import CostctlError, ExitCode
from costctl.gate.changes import with_changes
from costctl.gate.verdicts import FAIL, NOT_RUN, PASS, judge
from costctl.policy.results import GATE, Gate, read_gate
from costctl.replay.compare import Earlier, compared
from costctl.report import Report, Value

STORED = ("gate", "level")


def gate(run: Earlier, asked: Sequence[Gate], base: Earlier | None = None) -> Report:
    """The verdicts on a run: of the gates of its policy, then of those that were asked for.

    Raises:
        CostctlError: E430 where the run is damaged, E431 where the base is of other calls, E481 without any gate.
    """
    gates = _distinct((*_stored(run), *asked))
    if not gates:
        raise CostctlError(
            "E481", f"no gate to check: the policy of {run.file} has none", "add gates: to it, or --fail-if CONDITION"
        )
    report = run.report()
    warnings = () if base is None else compared(report, base).warnings
    judged = judge(report if base is None else with_changes(report, base), gates)
    verdicts = list(judged.tables["gates"].dicts())
    counts = {"gate_count": len(verdicts)} | {
        name: sum(row["verdict"] == verdict for row in verdicts)
        for name, verdict in (("passed_count", PASS), ("failed_count", FAIL), ("not_run_count", NOT_RUN))
    }
    made: Mapping[str, object] = {
        "costctl": run.made["costctl"], "run": run.file, "policy": run.made["policy"], "logs": run.made.get("logs", []),
        "price_set": run.made["price_set"], "seed": run.made["seed"],
        "policy_file": run.made.get("policy_file"),
        "compared_to": None if base is None else base.file, "status": dict.fromkeys(counts, "exact"),
    }  # fmt: skip
    return Report("gate", counts, {"gates": judged.tables["gates"]}, warnings, made)


def _distinct(gates: Sequence[Gate]) -> tuple[Gate, ...]:
    """Each bound once, in the place of the first; at the level of error where one of them has it."""
    found: dict[tuple[str, str, Decimal], Gate] = {}
    for gate in gates:
        known = found.get(key := (gate.metric, gate.operator, gate.bound))
        if known is None or (known.level, gate.level) == ("warn", "error"):
            found[key] = gate
    return tuple(found.values())


def _stored(run: Earlier) -> list[Gate]:
    """The gates of the policy, as the run tells them."""
    return [_gate_of(run, row) for row in run.rows("gates", STORED)]


def _gate_of(run: Earlier, row: Mapping[str, Value]) -> Gate:
    text, level = str(row["gate"]), row["level"]
    found = GATE.fullmatch(text.strip())
    if found is None or level not in ("error", "warn"):
        raise CostctlError(
            "E430", f"{run.file} is no run of costctl simulate: a gate of it is no gate",
            "write one: costctl simulate LOG --policy policy.yaml --output json -o run.json", ExitCode.INPUT,
        )  # fmt: skip
    # What a run holds was right when it was written; only its bound is read again.
    read = read_gate(text)
    metric, operator, bound = read if isinstance(read, tuple) else (found[1], found[2], Decimal(found[3]))
    return Gate(text, metric, operator, bound, "error" if level == "error" else "warn")
