-- Every attempt of the files in this report with the key under which duplicates are merged.
-- Within a family, formats that write the same ids, the key says what is the same record; the most
-- complete row wins and keeps the earliest start. Rows without a key are the same record only
-- across files, the n-th equal row of one file with the n-th of another: two equal lines in one
-- file may be two requests.
CREATE OR REPLACE TEMP VIEW keyed_attempt AS
WITH read_file AS (
    SELECT file_id, CASE
        WHEN format_name IN ('litellm_payload', 'litellm_spend') THEN 'litellm'
        WHEN format_name IN ('openai', 'anthropic', 'capture') THEN 'bodies'
        ELSE format_name END AS family
    FROM source_file WHERE file_id IN (SELECT file_id FROM report_file)
),
named AS (
    SELECT a.row_id, f.family,
        -- An id alone may be used again for another request; of the same one model and user are the same.
        -- A failure and a success of one id are two attempts, even where no number tells them apart.
        coalesce(a.dedupe_key, concat_ws('/', a.request_id,
            coalesce(CAST(a.attempt AS VARCHAR), CASE WHEN a.status = 'ok' THEN '' ELSE 'not ok' END),
            a.response_model, a.request_model, a.user_id)) AS merge_key, 0 AS occurrence,
        a.started_at, a.is_sidechain, a.replay_key,
        (a.usage_source <> 'missing', coalesce(a.output_tokens, -1), NOT coalesce(a.is_cache_unknown, false),
            coalesce(a.input_uncached_tokens, -1), coalesce(a.latency_ms, -1), -a.file_id, a.source_line) AS completeness
    FROM attempt_full a JOIN read_file f USING (file_id)
    WHERE a.dedupe_key IS NOT NULL OR a.request_id IS NOT NULL
),
unnamed AS (
    SELECT a.row_id, a.file_id, a.source_line, a.started_at, f.family, CAST(hash(
        a.started_at, a.replay_offset_ms, a.latency_ms, a.provider, a.request_model, a.response_model, a.endpoint,
        a.session_id, a.trace_id, a.attempt, a.app, a.caller, a.user_id, a.team, a.input_uncached_tokens,
        a.cache_read_tokens, a.cache_write_5m_tokens, a.cache_write_1h_tokens, a.cache_write_other_tokens,
        a.output_tokens, a.reasoning_tokens, a.status, a.error_type, a.logged_cost, a.prompt_key, a.response_chars
    ) AS VARCHAR) AS merge_key
    FROM attempt_full a JOIN read_file f USING (file_id)
    WHERE a.dedupe_key IS NULL AND a.request_id IS NULL
),
keyed AS (
    SELECT * FROM named
    UNION ALL
    SELECT row_id, family, merge_key,
        row_number() OVER (PARTITION BY file_id, merge_key ORDER BY source_line), started_at, NULL, NULL,
        (true, -1, true, -1, -1, -file_id, source_line)
    FROM unnamed
),
main_chain AS (
    SELECT DISTINCT family, replay_key FROM named
    WHERE replay_key IS NOT NULL AND NOT coalesce(is_sidechain, false)
),
own AS (
    SELECT k.* FROM keyed k LEFT JOIN main_chain m
        ON coalesce(k.is_sidechain, false) AND k.family = m.family AND k.replay_key = m.replay_key
    WHERE m.replay_key IS NULL
)
SELECT * FROM own;

CREATE OR REPLACE TABLE chosen AS
SELECT arg_max(row_id, completeness) AS row_id, min(started_at) AS first_at
FROM keyed_attempt GROUP BY family, merge_key, occurrence
