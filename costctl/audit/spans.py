"""Records of tracing tools: several may tell of one call, and one may be told in pieces."""

from __future__ import annotations

from costctl.audit import pages
from costctl.formats.workspace import attempt_columns
from costctl.request import COLUMNS, SOURCE_COLUMNS
from costctl.store import Store

# Counts belong together: they are taken from one record, the one that knows most.
USAGE = (
    "input_uncached_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens",
    "cache_write_other_tokens", "output_tokens", "reasoning_tokens", "input_audio_tokens", "cache_read_audio_tokens",
    "output_audio_tokens", "input_image_tokens", "output_image_tokens", "usage_source", "is_cache_unknown",
)  # fmt: skip
_OWN = {
    "started_at": "min(started_at)",
    "latency_ms": "arg_min(latency_ms, (started_at, -latency_ms))",  # of the record that started so early
    # Of one record in several pieces, the one that tells of a failure knows the end of its call.
    "status": "coalesce(max(status) FILTER ((is_part OR is_same) AND status NOT IN ('ok', 'unknown')), "
    "arg_max(status, rank))",
}  # fmt: skip


def merge_spans(store: Store) -> bool:
    """Merge the records of one call; what none but one of them says is kept.

    Takes the merged records out of `chosen` and puts their calls into `span_request`. False where
    no file of the report holds such records, and nothing was done.
    """
    if not attempt_columns(store) & {"span_id", "is_part"}:
        return False
    pages.run(store, "span_members.sql")
    if not store.scalar("SELECT count(*) FROM span_member"):
        return False
    pages.run(store, "span_calls.sql")
    store.execute(_calls())
    store.execute(
        "DELETE FROM chosen WHERE row_id IN (SELECT place FROM span_call WHERE call_place IS DISTINCT FROM place "
        "UNION ALL SELECT row_id FROM span_request)"
    )
    store.execute("ALTER TABLE span_request DROP row_id")
    return True


def _calls() -> str:
    """The calls of which several records tell, with all columns of `attempt_full`."""
    usage = ", ".join(f"{name} := {name}" for name in USAGE)
    names = [column.name for column in (*SOURCE_COLUMNS, *COLUMNS) if column.name not in USAGE]
    own = {"file_id": "arg_max(file_id, rank)", "source_line": "arg_max(source_line, rank)"} | _OWN
    plain = ", ".join(f"{own.get(name, f'arg_max({name}, rank)')} AS {name}" for name in names)
    counts = ", ".join(f"counts.{name} AS {name}" for name in USAGE)
    return f"""CREATE OR REPLACE TEMP TABLE span_request AS
        WITH grouped AS (
            SELECT a.*, s.call_place, (a.row_id = s.call_place, a.row_id) AS rank,
                a.span_id = max(CASE WHEN a.row_id = s.call_place THEN a.span_id END) OVER (PARTITION BY s.call_place)
                    AS is_same
            FROM span_call s JOIN span_member m USING (place) JOIN attempt_full a ON a.row_id = m.row_id
            QUALIFY count(*) OVER (PARTITION BY s.call_place) > 1 AND s.call_place IS NOT NULL
        ),
        told AS (
            SELECT call_place AS row_id, {plain},
                arg_max(struct_pack({usage}), (usage_source <> 'missing', NOT is_cache_unknown, rank)) AS counts
            FROM grouped GROUP BY call_place
        )
        SELECT * EXCLUDE (counts) REPLACE (CASE WHEN status <> 'ok' THEN error_type END AS error_type), {counts}
        FROM told"""
