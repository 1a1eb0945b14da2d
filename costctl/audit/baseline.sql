-- What the log shows as it is: cost, latency and failures, for all of it and by provider.
SELECT
    CASE WHEN grouping(provider) = 1 THEN 'all' ELSE coalesce(provider, 'unknown') END AS provider,
    count(*) AS request_count,
    count(*) FILTER (status = 'error') / count(*) AS error_ratio,
    CAST(sum(list_cost_usd) AS DECIMAL(38,12)) AS list_cost_usd,
    CAST(sum(list_cost_usd) AS DOUBLE) / nullif(count(list_cost_usd), 0) AS cost_per_request_usd,
    quantile_cont(latency_ms, 0.5) FILTER (status = 'ok') AS latency_ms_p50,
    quantile_cont(latency_ms, 0.95) FILTER (status = 'ok') AS latency_ms_p95,
    quantile_cont(latency_ms, 0.99) FILTER (status = 'ok') AS latency_ms_p99,
    quantile_cont(time_to_first_token_ms, 0.5) FILTER (status = 'ok') AS time_to_first_token_ms_p50,
    quantile_cont(time_to_first_token_ms, 0.95) FILTER (status = 'ok') AS time_to_first_token_ms_p95,
    quantile_cont(time_to_first_token_ms, 0.99) FILTER (status = 'ok') AS time_to_first_token_ms_p99,
    count(*) FILTER (gateway_cache_hit) / nullif(count(gateway_cache_hit), 0) AS gateway_cache_hit_ratio
FROM request GROUP BY GROUPING SETS ((), (provider))
ORDER BY grouping(provider) DESC, request_count DESC, provider NULLS LAST
