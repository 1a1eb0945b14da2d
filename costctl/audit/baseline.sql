-- What the log shows as it is: cost, latency and failures, for all of it and by provider.
SELECT * EXCLUDE (latencies, first_tokens, is_all),
    latencies[1] AS latency_ms_p50, latencies[2] AS latency_ms_p95, latencies[3] AS latency_ms_p99,
    first_tokens[1] AS time_to_first_token_ms_p50, first_tokens[2] AS time_to_first_token_ms_p95,
    first_tokens[3] AS time_to_first_token_ms_p99
FROM (
SELECT
    grouping(provider) AS is_all,
    CASE WHEN grouping(provider) = 1 THEN 'all' ELSE coalesce(provider, 'unknown') END AS provider,
    count(*) AS request_count,
    count(*) FILTER (status = 'error') / count(*) AS error_ratio,
    -- What holds nothing but unpriced or uncounted requests and unbilled failures has no cost of 0, but none.
    CAST(CASE WHEN bool_or(price_status IN ('priced', 'free'))
        OR NOT bool_or(price_status IN ('unpriced', 'unknown_usage'))
        THEN sum(list_cost_usd) END AS DECIMAL(38,12)) AS list_cost_usd,
    CAST(sum(list_cost_usd) AS DOUBLE) / nullif(count(list_cost_usd), 0) AS cost_per_request_usd,
    quantile_cont(latency_ms, [0.5, 0.95, 0.99]) FILTER (status = 'ok') AS latencies,
    quantile_cont(time_to_first_token_ms, [0.5, 0.95, 0.99]) FILTER (status = 'ok') AS first_tokens,
    count(*) FILTER (gateway_cache_hit) / nullif(count(gateway_cache_hit), 0) AS gateway_cache_hit_ratio
FROM request GROUP BY GROUPING SETS ((), (provider))
) ORDER BY is_all DESC, request_count DESC, provider NULLS LAST
