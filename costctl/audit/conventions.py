"""Formats whose records contradict them: the convention of their counts, checked against the log's own totals."""

from __future__ import annotations

from costctl.report import Table, Warning, counted

VIOLATIONS_MAX = 0.01
# What the user can do where cached tokens are taken to lie on the wrong side.
HINTS = {
    "cached tokens lie beside the input": "read it so: --cached-in-input no",
    "cached tokens lie inside the input": "read it so: --cached-in-input yes",
    "reasoning lies beside the output": "read it by its own names: --map reasoning_outside_tokens=COLUMN and the rest",
    "reasoning lies inside the output": "read it by its own names: --map reasoning_tokens=COLUMN and the rest",
}
FEW_HINT = (
    "look at those lines: the others fit as they are read, and another reading of the whole log would make them wrong"
)
UNEXPLAINED_HINT = (
    "see which counts those lines hold; what no column names is left out: name it with --map input_tokens=..."
)


def broken_conventions(found: Table) -> list[Warning]:
    """A warning for each file of which more than one record in a hundred contradicts its format, the worst first."""
    said = []
    for row in found.dicts():
        faults, checked = int(str(row["fault_count"])), int(str(row["checked_count"]))
        if faults <= checked * VIOLATIONS_MAX:
            continue
        text = (
            f"{row['source_file']}: in {faults:,} of {counted(checked, 'record with a total', 'records with a total')} "
            f"the total does not fit what {row['log_format']} counts; it says that {row['reading']}; "
            f"{'line' if faults == 1 else 'lines'} {row['lines']}"
        )
        hint = HINTS.get(str(row["reading"]), UNEXPLAINED_HINT)
        is_of_few = int(str(row["contrary_count"])) > faults * VIOLATIONS_MAX
        said.append(Warning("W127", text, FEW_HINT if is_of_few else hint))
    return said
