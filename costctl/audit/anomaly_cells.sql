-- One row per scope, day and model: what it cost and what it was made of.
SELECT {dimension} AS scope, CAST(started_at AS DATE) AS day, model, price_key, count(*) AS requests,
    CAST(coalesce(sum(list_cost_usd), 0) AS DECIMAL(38,12)) AS cost,
    CAST(coalesce(sum(input_uncached_tokens), 0) AS BIGINT), CAST(coalesce(sum(cache_read_tokens), 0) AS BIGINT),
    CAST(coalesce(sum(coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_1h_tokens, 0)
        + coalesce(cache_write_other_tokens, 0)), 0) AS BIGINT),
    CAST(coalesce(sum(output_tokens), 0) AS BIGINT),
    CAST(coalesce(sum(input_cost_usd), 0) AS DECIMAL(38,12)), CAST(coalesce(sum(cache_read_cost_usd), 0) AS DECIMAL(38,12)),
    CAST(coalesce(sum(cache_write_cost_usd), 0) AS DECIMAL(38,12)), CAST(coalesce(sum(output_cost_usd), 0) AS DECIMAL(38,12))
FROM request
WHERE started_at IS NOT NULL AND list_cost_usd IS NOT NULL AND {dimension} IS NOT NULL
    AND {dimension} IN (SELECT scope FROM (
        SELECT {dimension} AS scope, CAST(started_at AS DATE) AS day, sum(list_cost_usd) AS cost
        FROM request WHERE started_at IS NOT NULL GROUP BY ALL
    ) WHERE cost >= $material)
GROUP BY ALL ORDER BY ALL
