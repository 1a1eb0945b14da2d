-- What the log says of each model's prompt cache, and of what requests share, over the priced requests.
SELECT price_key, count(*) AS request_count,
    count(*) FILTER (session_id IS NOT NULL OR prefix_blocks IS NOT NULL) AS prefix_count,
    count(*) FILTER ((session_id IS NOT NULL OR prefix_blocks IS NOT NULL)
        AND (started_at IS NOT NULL OR replay_offset_ms IS NOT NULL)) AS placed_count,
    count(*) FILTER (NOT is_cache_unknown) AS said_count,
    coalesce(max(input_tokens), 0) AS input_tokens_max,
    coalesce(bool_or({is_cached}), false) AS shows_cached
FROM request r WHERE price_status = 'priced' AND price_key IS NOT NULL GROUP BY price_key ORDER BY price_key
