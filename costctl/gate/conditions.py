"""Conditions that break a gate, as the command line gives them: the inverse of the gates of a policy."""

from __future__ import annotations

from collections.abc import Sequence

from costctl.errors import CostctlError
from costctl.gate.changes import CHANGES
from costctl.policy.figures import METRICS, never_holds, unknown_figure
from costctl.policy.results import HOW, Gate, read_gate
from costctl.policy.units import shown

_INVERSE = {">=": "<", "<=": ">", ">": "<=", "<": ">=", "=": "!="}
HINT = "compare a figure with a number: --fail-if 'saving_ratio < 0.2'"


def read_conditions(fail_if: Sequence[str], warn_if: Sequence[str], *, has_base: bool) -> tuple[Gate, ...]:
    """The gates that hold where none of these conditions does; those that fail first, then those that warn.

    An empty condition asks nothing: a variable of a job that is not set.

    Raises:
        CostctlError: E480 naming every condition that compares no figure with a number, and every figure that no
            run has (or, without a base, no single run).
    """
    asked = [(text, "error") for text in fail_if] + [(text, "warn") for text in warn_if]
    read = [_read(text, level, has_base) for text, level in asked if text.strip()]
    faults = [one for one in read if isinstance(one, str)]
    if faults:
        raise CostctlError("E480", "; ".join(faults), HINT)
    return tuple(one for one in read if isinstance(one, Gate))


def _read(text: str, level: str, has_base: bool) -> Gate | str:
    option = "--fail-if" if level == "error" else "--warn-if"
    read = read_gate(text)
    if read is None:
        return f"{option} {shown(text)} is no comparison: it takes {HOW}"
    if isinstance(read, str):
        return f"{option} {shown(text)}: {read}"
    metric, said, bound = read
    if metric in CHANGES and not has_base:
        return f"{option}: {metric} needs an earlier run, --compare-to base.json"
    fault = unknown_figure(metric, (*METRICS, *(CHANGES if has_base else ())))
    if fault is not None:
        return f"{option}: {fault}"
    operator = _INVERSE[said]
    fault = None if metric in CHANGES else never_holds(metric, operator, bound)
    if fault is not None:
        return f"{option} {shown(text)} is always so: the gate {metric} {operator} {bound} {fault}"
    # In reports it stands as it was written, so that whoever looks for it finds it.
    return Gate(
        f"{option.removeprefix('--').replace('-', ' ')} {text.strip()}",
        metric,
        operator,
        bound,
        "error" if level == "error" else "warn",
    )
