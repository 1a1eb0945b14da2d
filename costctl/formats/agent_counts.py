"""Counts of agents that write Gemini's parts under names of their own: input, output, cached, thoughts, tool, total."""

from __future__ import annotations

from itertools import product

from costctl.formats.base import Record

_COUNTS = ("input", "output", "cached", "thoughts", "tool", "total")


def counts_of(said: Record, *, has_thoughts_inside: bool = False) -> Record:
    """Counts with cached tokens and thoughts where the total says they lie, else where they usually do.

    >>> counts_of({"input": 9, "output": 2, "cached": 4, "thoughts": 3, "tool": 1, "total": 15})["input_tokens"]
    10
    >>> counts_of({"input": 5, "output": 2, "cached": 4, "total": 11})["cache_read_outside_tokens"]
    4
    """
    counts = {name: said.get(name) for name in _COUNTS}
    if not all(value is None or type(value) is int for value in counts.values()):
        return {"input_tokens": counts["input"], "output_tokens": counts["output"], "total_tokens": counts["total"]}
    known = {name: value or 0 for name, value in counts.items()}
    usual = {"tool"} if has_thoughts_inside and known["thoughts"] <= known["output"] else {"tool", "thoughts"}
    beside = _beside(known, counts["total"], usual)
    found: Record = {
        "input_tokens": known["input"] + (known["tool"] if "tool" in beside else 0),
        "output_tokens": known["output"], "total_tokens": counts["total"],
        "cache_read_outside_tokens" if "cached" in beside else "cache_read_tokens": counts["cached"],
        "reasoning_outside_tokens" if "thoughts" in beside else "reasoning_tokens": counts["thoughts"],
    }  # fmt: skip
    return found


def _beside(known: dict[str, int], total: int | None, usual: set[str]) -> set[str]:
    """Which counts lie beside input and output: the usual ones, unless the total says otherwise."""
    if known["cached"] > known["input"]:
        usual = usual | {"cached"}
    if total is None:
        return usual
    choices = [usual, *({name for name, is_out in zip(("cached", "tool", "thoughts"), flags, strict=True) if is_out}
                        for flags in product((False, True), repeat=3))]  # fmt: skip
    plain = known["input"] + known["output"]
    for beside in choices:
        fits = known["cached"] <= known["input"] or "cached" in beside
        if fits and plain + sum(known[name] for name in beside) == total:
            return beside
    return usual
