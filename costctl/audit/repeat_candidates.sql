-- Successful requests that share app, model and prompt with another, in time order. The key is
-- only an identity within this answer.
WITH asked AS (
    SELECT app, model, prompt_key, coalesce(epoch_us(started_at), replay_offset_ms * 1000) AS time_us, request_id,
        output_tokens, input_tokens, latency_ms, file_id, source_line
    FROM request WHERE status = 'ok' AND prompt_key IS NOT NULL AND (started_at IS NOT NULL OR replay_offset_ms IS NOT NULL)
),
repeated AS (
    SELECT app, model, prompt_key, row_number() OVER () AS key FROM (
        SELECT app, model, prompt_key FROM asked GROUP BY ALL HAVING count(*) > 1)
)
SELECT r.key, a.time_us, a.file_id, a.source_line
FROM asked a JOIN repeated r ON a.prompt_key = r.prompt_key
    AND a.model IS NOT DISTINCT FROM r.model AND a.app IS NOT DISTINCT FROM r.app
ORDER BY a.time_us, a.request_id, a.output_tokens, a.input_tokens, a.latency_ms, a.file_id, a.source_line
