-- The calls of the log, one row each, in the order of the replay. A call is what the user asked for:
-- the attempts that share trace and call number; a row without a trace is a call. The attempt that
-- answered stands for it (the last success, else the last attempt); cost is that of all attempts.
CREATE OR REPLACE TEMP TABLE replay_call AS
WITH chain AS (
    SELECT c.trace_id, c.prompt, c.call_number, count(*) AS attempt_count, min(r.started_at) AS first_at,
        min(r.replay_offset_ms) AS first_offset_ms,
        sum(r.list_cost_usd) AS baseline_cost_usd, count(*) FILTER (r.list_cost_usd IS NULL) AS unpriced_count,
        max(epoch_us(r.started_at) + CAST(round(r.latency_ms * 1000) AS BIGINT)) - min(epoch_us(r.started_at))
            AS latency_us,
        bool_or(r.latency_ms IS NULL) AS lacks_latency
    FROM call c JOIN request r USING (file_id, source_line) GROUP BY c.trace_id, c.prompt, c.call_number
),
answering AS (
    SELECT r.*, c.prompt, c.call_number
    FROM call c JOIN request r USING (file_id, source_line)
    QUALIFY row_number() OVER (PARTITION BY c.trace_id, c.prompt, c.call_number
        ORDER BY r.status = 'ok' DESC, c.attempt_number DESC) = 1
),
told AS (
    SELECT a.* EXCLUDE (prompt, call_number) REPLACE (h.first_at AS started_at, h.first_offset_ms AS replay_offset_ms),
        h.attempt_count, h.baseline_cost_usd, h.unpriced_count,
        CASE WHEN h.lacks_latency THEN NULL ELSE h.latency_us END AS latency_us
    FROM answering a JOIN chain h
        ON a.trace_id = h.trace_id AND a.prompt = h.prompt AND a.call_number = h.call_number
    UNION ALL
    SELECT *, 1, list_cost_usd, CAST(list_cost_usd IS NULL AS BIGINT), CAST(round(latency_ms * 1000) AS BIGINT)
    FROM request WHERE trace_id IS NULL
),
opening AS (
    SELECT session_id, arg_min((file_id, source_line), (started_at, request_id, file_id, source_line)) AS place
    FROM told WHERE session_id IS NOT NULL GROUP BY session_id
)
SELECT row_number() OVER in_time - 1 AS position,
    coalesce(epoch_us(t.started_at), t.replay_offset_ms * 1000) AS time_us,
    coalesce(CAST(t.baseline_cost_usd * 1000000000000 AS BIGINT), 0) AS baseline_cost_pusd,
    -- The same words in a later turn whose history is not in the log may mean something else.
    coalesce(t.turn_count <= 1 AND o.place <> (t.file_id, t.source_line), false) AS is_later_turn,
    t.*
FROM told t LEFT JOIN opening o ON o.session_id = t.session_id
WINDOW in_time AS (ORDER BY coalesce(epoch_us(t.started_at), t.replay_offset_ms * 1000) NULLS LAST,
    t.request_id, t.model, t.input_tokens, t.output_tokens, t.latency_us, t.source_line, t.file_id)
ORDER BY position
