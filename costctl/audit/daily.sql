SELECT
    coalesce(strftime(started_at, '%Y-%m-%d'), 'undated') AS day,
    count(*) FILTER (is_aggregate IS NULL) AS request_count,
    -- What holds nothing but unpriced or uncounted requests and unbilled failures has no cost of 0, but none.
    CAST(CASE WHEN bool_or(price_status IN ('priced', 'free'))
        OR NOT bool_or(price_status IN ('unpriced', 'unknown_usage'))
        THEN sum(list_cost_usd) END AS DECIMAL(38,12)) AS list_cost_usd,
    CAST(sum(list_cost_usd) AS DOUBLE) / nullif(count(list_cost_usd) FILTER (is_aggregate IS NULL), 0) AS cost_per_request_usd,
    count(*) FILTER (tier = 'A') / nullif(count(*) FILTER (is_aggregate IS NULL), 0) AS tier_a_ratio,
    count(*) FILTER (tier = 'B') / nullif(count(*) FILTER (is_aggregate IS NULL), 0) AS tier_b_ratio,
    count(*) FILTER (tier = 'C') / nullif(count(*) FILTER (is_aggregate IS NULL), 0) AS tier_c_ratio,
    count(*) FILTER (status = 'error') / nullif(count(*) FILTER (is_aggregate IS NULL), 0) AS error_ratio,
    CAST(sum(cache_read_tokens) AS DOUBLE) / nullif(CAST(sum(input_tokens) AS DOUBLE), 0)
        AS prompt_cache_read_ratio,
    count(*) FILTER (gateway_cache_hit) / nullif(count(gateway_cache_hit), 0) AS gateway_cache_hit_ratio
FROM bill GROUP BY 1 ORDER BY 1
