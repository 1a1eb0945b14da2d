-- Priced requests of the models in question that say what they share with others, in time
-- order: the engine keeps it, so `rowid` numbers them from 0.
CREATE OR REPLACE TEMP TABLE cache_candidate AS
SELECT r.file_id, r.source_line, list_position($models, r.price_key) - 1 AS model_code,
    CASE WHEN r.session_id IS NULL THEN -1
        ELSE CAST(hash(r.session_id, r.caller, r.price_key) >> 1 AS BIGINT) END AS session_code,
    coalesce(epoch_us(r.started_at), r.replay_offset_ms * 1000) AS time_us,
    r.input_tokens, coalesce(r.output_tokens - coalesce(r.reasoning_tokens, 0), 0) AS output_tokens,
    coalesce({is_cached}, false) AS shows_cached,
    -- What an earlier class already claims, or what may have been cached unseen, cannot be claimed.
    NOT coalesce({is_failed_or_repeated}, false) AND h.source_line IS NULL AND n.source_line IS NULL
        AND NOT r.is_cache_unknown AS is_claimable,
    r.prefix_blocks, r.block_tokens
FROM request r
LEFT JOIN call c USING (file_id, source_line)
LEFT JOIN repeat_hit h USING (file_id, source_line)
LEFT JOIN near_hit n USING (file_id, source_line)
WHERE r.price_status = 'priced' AND list_contains($models, r.price_key) AND r.input_tokens IS NOT NULL
    AND (r.session_id IS NOT NULL OR r.prefix_blocks IS NOT NULL)
    AND (r.started_at IS NOT NULL OR r.replay_offset_ms IS NOT NULL)
ORDER BY time_us, r.request_id, r.output_tokens, r.input_tokens, r.latency_ms, r.file_id, r.source_line
