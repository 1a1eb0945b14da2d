"""What the log lost on the way into the replay: the audit counted it while reading, and a simulation says it too."""

from __future__ import annotations

from costctl.formats.profile import READING, Told
from costctl.report import Report, Value, Warning, counted

COUNTS = READING
NOT_IN_PROFILE = "not identifiable: an older costctl wrote the profile, without the counts of its log: write it anew"
# Warnings of the audit about records, values and files that are in no call: what is replayed is less than the log.
LOSSES = frozenset(f"W{number}" for number in (110, 111, 112, 122, 125, 126, 129))
MERGED_HINT = "see them: costctl sql 'FROM merged_record'"


def reading_totals(audit: Report | None, profile: Told | None = None) -> dict[str, Value]:
    """Records read = accepted + merged + ignored + rejected, as the audit of the log counted them.

    A profile carries those of its log; its own rows are no records, and say nothing of what was lost.
    """
    if profile is not None:
        return {} if profile.reading is None else {name: profile.reading[name] for name in COUNTS}
    return {} if audit is None else {name: audit.totals[name] for name in COUNTS if name in audit.totals}


def reading_warnings(audit: Report | None) -> list[Warning]:
    """What was not understood, left out, or counted with another record, in the audit's order."""
    if audit is None:
        return []
    said = [one for one in audit.warnings if one.code in LOSSES]
    merged = int(str(audit.totals.get("merged_count", 0)))
    if merged:
        records = counted(merged, "record of the log counts", "records of the log count")
        said.append(Warning("W113", f"{records} with another one of the same request, not as a call", MERGED_HINT))
    return said
