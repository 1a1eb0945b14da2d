-- The attempts of the files in this report, duplicates merged.
-- Within a format the key says what is the same record; the most complete row wins and keeps
-- the earliest start. Rows without a key are the same record only across files, the n-th equal
-- row of one file with the n-th of another: two equal lines in one file may be two requests.
CREATE OR REPLACE TABLE chosen AS
WITH row_key AS (
    SELECT
        a.rowid AS row_id, a.file_id, a.source_line, a.started_at, a.output_tokens, a.usage_source,
        a.is_sidechain, a.replay_key, f.format_name,
        CASE WHEN a.dedupe_key IS NOT NULL THEN a.dedupe_key
             WHEN a.request_id IS NOT NULL THEN a.request_id || '/' || coalesce(a.attempt::VARCHAR, '') END AS named_key,
        CASE WHEN a.dedupe_key IS NULL AND a.request_id IS NULL THEN hash(
            a.started_at, a.replay_offset_ms, a.latency_ms, a.provider, a.request_model, a.response_model, a.endpoint,
            a.session_id, a.trace_id, a.attempt, a.app, a.caller, a.user_id, a.team, a.input_uncached_tokens,
            a.cache_read_tokens, a.cache_write_5m_tokens, a.cache_write_1h_tokens, a.cache_write_other_tokens,
            a.output_tokens, a.reasoning_tokens, a.status, a.error_type, a.logged_cost, a.prompt_key, a.response_key) END AS content_key
    FROM attempt a JOIN source_file f USING (file_id)
    WHERE a.file_id IN (SELECT file_id FROM report_file)
),
numbered AS (
    SELECT *, CASE WHEN content_key IS NOT NULL THEN row_number() OVER (
        PARTITION BY file_id, content_key ORDER BY source_line) END AS occurrence
    FROM row_key
),
keyed AS (
    SELECT *, coalesce('k' || named_key, 'c' || content_key || '/' || occurrence) AS merge_key FROM numbered
),
main_chain AS (
    SELECT DISTINCT format_name, replay_key FROM keyed
    WHERE replay_key IS NOT NULL AND NOT coalesce(is_sidechain, false)
),
own AS (
    SELECT k.* FROM keyed k LEFT JOIN main_chain m
        ON coalesce(k.is_sidechain, false) AND k.format_name = m.format_name AND k.replay_key = m.replay_key
    WHERE m.replay_key IS NULL
)
SELECT
    arg_max(row_id, (usage_source <> 'missing', coalesce(output_tokens, -1), -file_id, source_line)) AS row_id,
    min(started_at) AS first_at
FROM own GROUP BY format_name, merge_key
