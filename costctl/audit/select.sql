-- The attempts of the files in this report, duplicates merged.
-- Within a format the key says what is the same record; the most complete row wins and keeps
-- the earliest start. Rows without a key are the same record only across files, the n-th equal
-- row of one file with the n-th of another: two equal lines in one file may be two requests.
CREATE OR REPLACE TABLE chosen AS
WITH named AS (
    SELECT a.row_id, f.format_name,
        -- An id alone may be used again for another request; of the same one model and user are the same.
        coalesce(a.dedupe_key, concat_ws('/', a.request_id, coalesce(CAST(a.attempt AS VARCHAR), ''),
            a.response_model, a.request_model, a.user_id)) AS merge_key, 0 AS occurrence,
        a.started_at, a.is_sidechain, a.replay_key,
        (a.usage_source <> 'missing', coalesce(a.output_tokens, -1), coalesce(a.input_uncached_tokens, -1),
            coalesce(a.latency_ms, -1), -a.file_id, a.source_line) AS completeness
    FROM attempt_full a JOIN source_file f USING (file_id)
    WHERE a.file_id IN (SELECT file_id FROM report_file) AND (a.dedupe_key IS NOT NULL OR a.request_id IS NOT NULL)
),
unnamed AS (
    SELECT a.row_id, a.file_id, a.source_line, a.started_at, f.format_name, CAST(hash(
        a.started_at, a.replay_offset_ms, a.latency_ms, a.provider, a.request_model, a.response_model, a.endpoint,
        a.session_id, a.trace_id, a.attempt, a.app, a.caller, a.user_id, a.team, a.input_uncached_tokens,
        a.cache_read_tokens, a.cache_write_5m_tokens, a.cache_write_1h_tokens, a.cache_write_other_tokens,
        a.output_tokens, a.reasoning_tokens, a.status, a.error_type, a.logged_cost, a.prompt_key, a.response_chars
    ) AS VARCHAR) AS merge_key
    FROM attempt_full a JOIN source_file f USING (file_id)
    WHERE a.file_id IN (SELECT file_id FROM report_file) AND a.dedupe_key IS NULL AND a.request_id IS NULL
),
keyed AS (
    SELECT * FROM named
    UNION ALL
    SELECT row_id, format_name, merge_key,
        row_number() OVER (PARTITION BY file_id, merge_key ORDER BY source_line), started_at, NULL, NULL,
        (true, -1, -1, -1, -file_id, source_line)
    FROM unnamed
),
main_chain AS (
    SELECT DISTINCT format_name, replay_key FROM named
    WHERE replay_key IS NOT NULL AND NOT coalesce(is_sidechain, false)
),
own AS (
    SELECT k.* FROM keyed k LEFT JOIN main_chain m
        ON coalesce(k.is_sidechain, false) AND k.format_name = m.format_name AND k.replay_key = m.replay_key
    WHERE m.replay_key IS NULL
)
SELECT arg_max(row_id, completeness) AS row_id, min(started_at) AS first_at
FROM own GROUP BY format_name, merge_key, occurrence
