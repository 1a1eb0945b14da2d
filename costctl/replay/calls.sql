-- Which attempt stands for each call, and what is known of the call as a whole. A call is what the
-- user asked for: the attempts that share trace and call number; a row without a trace is a call.
-- Narrow on purpose: everything else is read from `request` where it is needed, and put in order there.
CREATE OR REPLACE TEMP TABLE replay_place AS
WITH chain AS (
    SELECT c.trace_id, c.prompt, c.call_number, count(*) AS attempt_count, min(r.started_at) AS first_at,
        min(r.replay_offset_ms) AS first_offset_ms,
        sum(r.list_cost_usd) AS baseline_cost_usd, -- An unbilled failure costs nothing, whatever the price of its model would be.
        count(*) FILTER (r.list_cost_usd IS NULL AND r.price_status <> 'not_billed') AS unpriced_count,
        -- Two clocks do not mix: offsets only where no attempt has a time.
        coalesce(
            max(epoch_us(r.started_at) + CAST(round(r.latency_ms * 1000) AS BIGINT)) - min(epoch_us(r.started_at)),
            max(r.replay_offset_ms * 1000 + CAST(round(r.latency_ms * 1000) AS BIGINT)) - min(r.replay_offset_ms * 1000)
        ) AS latency_us,
        bool_or(r.latency_ms IS NULL) AS lacks_latency
    FROM call c JOIN request r USING (file_id, source_line) GROUP BY c.trace_id, c.prompt, c.call_number
),
answering AS (
    SELECT c.file_id, c.source_line, c.trace_id, c.prompt, c.call_number
    FROM call c JOIN request r USING (file_id, source_line)
    QUALIFY row_number() OVER (PARTITION BY c.trace_id, c.prompt, c.call_number
        ORDER BY r.status = 'ok' DESC, c.attempt_number DESC) = 1
),
told AS (
    SELECT a.file_id, a.source_line, h.first_at, h.first_offset_ms, h.attempt_count, h.baseline_cost_usd,
        h.unpriced_count, CASE WHEN h.lacks_latency THEN NULL ELSE h.latency_us END AS latency_us,
        r.session_id, r.turn_count, r.request_id, r.model, r.input_tokens, r.output_tokens
    FROM answering a JOIN chain h
        ON a.trace_id = h.trace_id AND a.prompt = h.prompt AND a.call_number = h.call_number
    JOIN request r ON r.file_id = a.file_id AND r.source_line = a.source_line
    UNION ALL
    SELECT file_id, source_line, started_at, replay_offset_ms, 1, list_cost_usd,
        CAST(list_cost_usd IS NULL AND price_status <> 'not_billed' AS BIGINT), CAST(round(latency_ms * 1000) AS BIGINT),
        session_id, turn_count, request_id, model, input_tokens, output_tokens
    FROM request WHERE trace_id IS NULL
),
placed AS (
    SELECT *, coalesce(epoch_us(first_at), first_offset_ms * 1000) AS time_us,
        row_number() OVER (ORDER BY coalesce(epoch_us(first_at), first_offset_ms * 1000) NULLS LAST,
            request_id, model, input_tokens, output_tokens, latency_us, source_line, file_id) - 1 AS position
    FROM told
),
opening AS (
    SELECT session_id, min(position) AS opened_at FROM placed WHERE session_id IS NOT NULL GROUP BY session_id
)
SELECT p.file_id, p.source_line, p.first_at, p.attempt_count, p.unpriced_count, p.latency_us, p.time_us, p.position,
    coalesce(pusd_of(p.baseline_cost_usd), 0) AS baseline_cost_pusd,
    -- The same words in a later turn whose history is not in the log may mean something else.
    coalesce(p.turn_count <= 1 AND p.position > o.opened_at, false) AS is_later_turn
FROM placed p LEFT JOIN opening o USING (session_id)
