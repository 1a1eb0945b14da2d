-- The calls as another model would have answered them: its name, its token counts, a plain success. All of the
-- input is fresh (its prompt cache is cold after a switch), or all read from a cache, or all written to one: the
-- three give the price of a token each way, whatever rate the call meets.
CREATE OR REPLACE TEMP VIEW hypothetical AS
SELECT m.answer, c.position, c.started_at, c.service_tier, c.web_searches, c.input_tokens, c.usage_source,
    CAST(NULL AS VARCHAR) AS provider, m.model AS request_model, CAST(NULL AS VARCHAR) AS response_model,
    CAST(NULL AS VARCHAR) AS region, 'ok' AS status, false AS gateway_cache_hit,
    CAST(NULL AS DECIMAL(18,12)) AS logged_cost,
    CASE m.layout WHEN 'fresh' THEN (c.input_tokens * m.input_over * 2 + m.input_under) // (m.input_under * 2)
        ELSE 0 END AS input_uncached_tokens,
    CASE m.layout WHEN 'read' THEN c.input_tokens END AS cache_read_tokens,
    CASE m.layout WHEN 'written' THEN c.input_tokens END AS cache_write_5m_tokens,
    CAST(NULL AS BIGINT) AS cache_write_1h_tokens, CAST(NULL AS BIGINT) AS cache_write_other_tokens,
    (c.output_tokens * r.over * 2 + r.under) // (r.under * 2) AS output_tokens,
    CAST(NULL AS BIGINT) AS reasoning_tokens, CAST(NULL AS BIGINT) AS input_audio_tokens,
    CAST(NULL AS BIGINT) AS cache_read_audio_tokens, CAST(NULL AS BIGINT) AS output_audio_tokens,
    c.input_image_tokens, CAST(NULL AS BIGINT) AS output_image_tokens
FROM {source} c CROSS JOIN candidate m
LEFT JOIN candidate_ratio r ON r.answer = m.answer AND r.logged IS NOT DISTINCT FROM coalesce(c.price_key, c.model)
