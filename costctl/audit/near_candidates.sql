-- Questions that stand alone, in time order: answered, priced, one message of the user, no image, nothing personal.
-- Their scope is one application, model and instructions. `may_hit`: no earlier class has the request.
CREATE OR REPLACE TEMP TABLE near_candidate AS
WITH opening AS (
    SELECT session_id, min((coalesce(epoch_us(started_at), replay_offset_ms * 1000), request_id, file_id, source_line)) AS place
    FROM request WHERE session_id IS NOT NULL GROUP BY session_id
)
SELECT r.file_id, r.source_line, coalesce(epoch_us(r.started_at), r.replay_offset_ms * 1000) AS time_us,
    CAST(hash(r.app, r.model, r.system_key) >> 1 AS BIGINT) AS scope,
    h.source_line IS NULL AND NOT ({is_failed_or_repeated}) AND r.list_cost_usd > 0 AS may_hit
FROM request r
LEFT JOIN call c USING (file_id, source_line)
LEFT JOIN repeat_hit h USING (file_id, source_line)
LEFT JOIN opening o USING (session_id)
WHERE r.status = 'ok' AND r.price_status IN ('priced', 'free') AND r.turn_count = 1 AND NOT coalesce(r.has_image, false)
    AND NOT coalesce({personal}, false) AND coalesce(epoch_us(r.started_at), r.replay_offset_ms * 1000) IS NOT NULL
    AND (r.session_id IS NULL OR o.place = (coalesce(epoch_us(r.started_at), r.replay_offset_ms * 1000), r.request_id,
        r.file_id, r.source_line))
ORDER BY time_us, r.request_id, r.output_tokens, r.input_tokens, r.latency_ms, r.file_id, r.source_line
