"""Conditions that break a gate, as the command line gives them: the inverse of the gates of a policy."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from costctl.errors import CostctlError
from costctl.gate.changes import CHANGES
from costctl.policy.figures import METRICS, never_holds, unknown_figure
from costctl.policy.results import GATE, Gate
from costctl.policy.units import shown

_INVERSE = {">=": "<", "<=": ">", ">": "<=", "<": ">=", "=": "!="}
HINT = "compare a figure with a number: --fail-if 'saving_ratio < 0.2'"


def read_conditions(fail_if: Sequence[str], warn_if: Sequence[str], *, has_base: bool) -> tuple[Gate, ...]:
    """The gates that hold where none of these conditions does; those that fail first, then those that warn.

    Raises:
        CostctlError: E480 naming every condition that compares no figure with a number, and every figure that no
            run has (or, without a base, no single run).
    """
    read = [*(_read(text, "error", has_base) for text in fail_if), *(_read(text, "warn", has_base) for text in warn_if)]
    faults = [one for one in read if isinstance(one, str)]
    if faults:
        raise CostctlError("E480", "; ".join(faults), HINT)
    return tuple(one for one in read if isinstance(one, Gate))


def _read(text: str, level: Literal["error", "warn"], has_base: bool) -> Gate | str:
    option = "--fail-if" if level == "error" else "--warn-if"
    found = GATE.fullmatch(text.strip())
    if found is None:
        return f"{option} {shown(text)} is no comparison"
    metric, said, bound = found[1], found[2], found[3]
    if metric in CHANGES and not has_base:
        return f"{option}: {metric} needs an earlier run, --compare-to base.json"
    fault = unknown_figure(metric, (*METRICS, *(CHANGES if has_base else ())))
    if fault is not None:
        return f"{option}: {fault}"
    operator = _INVERSE[said]
    fault = None if metric in CHANGES else never_holds(metric, operator, Decimal(bound))
    if fault is not None:
        return f"{option} {shown(text)} is always so: the gate {metric} {operator} {bound} {fault}"
    return Gate(f"{metric} {operator} {bound}", metric, operator, Decimal(bound), level)
