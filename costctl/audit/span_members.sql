-- Rows of tracing tools with the merged record (`place`, a row of `chosen`) that each belongs to.
CREATE OR REPLACE TEMP TABLE span_member AS
WITH member AS (
    SELECT a.row_id, s.format_name, a.dedupe_key, coalesce(a.trace_id, '') AS trace_id, a.span_id, a.parent_id,
        coalesce(a.producer, '') AS producer, coalesce(a.is_part, false) AS is_part,
        nullif(a.request_id, a.span_id) AS answer_id, coalesce(a.response_model, a.request_model) AS model, a.request_model,
        a.started_at, a.started_at + to_microseconds(CAST(a.latency_ms * 1000 AS BIGINT)) AS ended_at,
        a.input_uncached_tokens + coalesce(a.cache_read_tokens, 0) + coalesce(a.cache_write_5m_tokens, 0)
            + coalesce(a.cache_write_1h_tokens, 0) + coalesce(a.cache_write_other_tokens, 0) AS input_tokens,
        a.output_tokens, a.usage_source <> 'missing' AS has_usage, a.status
    FROM attempt_full a JOIN source_file s USING (file_id)
    WHERE s.file_id IN (SELECT file_id FROM report_file) AND (a.span_id IS NOT NULL OR a.is_part)
)
SELECT m.*, coalesce(max(c.row_id) OVER same, m.row_id) AS place, bool_and(m.is_part) OVER same AS is_all_parts
FROM member m LEFT JOIN chosen c USING (row_id)
-- A row without a key is merged with none but its equal in another file, and stands for itself here.
WINDOW same AS (PARTITION BY m.format_name, coalesce(m.dedupe_key, CAST(m.row_id AS VARCHAR)))
