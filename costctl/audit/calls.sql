-- Which attempts belong to one call of the user's: those of one trace with the same prompt,
-- until an attempt succeeded and a first attempt follows. A row without a trace is a call.
CREATE OR REPLACE TABLE call AS
WITH marked AS (
    SELECT file_id, source_line, request_id, trace_id, coalesce(prompt_key, 0) AS prompt,
        coalesce(epoch_us(started_at), replay_offset_ms * 1000) AS time_us, attempt, status,
        lag(status) OVER chain AS previous_status
    FROM request WHERE trace_id IS NOT NULL
    WINDOW chain AS (PARTITION BY trace_id, coalesce(prompt_key, 0)
        ORDER BY coalesce(epoch_us(started_at), replay_offset_ms * 1000), attempt, request_id, file_id, source_line)
),
numbered AS (
    SELECT *, sum(CASE WHEN previous_status IS NULL THEN 1
                       WHEN attempt IS NOT NULL AND attempt > 1 THEN 0
                       WHEN previous_status = 'ok' THEN 1
                       WHEN attempt = 1 THEN 1 ELSE 0 END) OVER (
        PARTITION BY trace_id, prompt ORDER BY time_us, attempt, request_id, file_id, source_line
        ROWS UNBOUNDED PRECEDING) AS call_number
    FROM marked
)
SELECT file_id, source_line, trace_id, prompt, call_number,
    row_number() OVER attempts AS attempt_number,
    status = 'ok' AND count(*) FILTER (status = 'ok') OVER (
        PARTITION BY trace_id, prompt, call_number ORDER BY time_us, attempt, request_id, file_id, source_line
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) > 0 AS is_repeated_success
FROM numbered
WINDOW attempts AS (PARTITION BY trace_id, prompt, call_number ORDER BY time_us, attempt, request_id, file_id, source_line)
