-- One aggregate for the three quantiles: each would hold every latency.
SELECT * EXCLUDE (latencies), latencies[1] AS latency_ms_p50, latencies[2] AS latency_ms_p95, latencies[3] AS latency_ms_p99
FROM (
SELECT
    count(*) AS request_count,
    count(*) FILTER (status = 'error') AS error_count,
    count(*) FILTER (usage_source = 'missing') AS unknown_usage_count,
    count(*) FILTER (is_cache_unknown) AS cache_unknown_count,
    count(*) FILTER (started_at IS NULL) AS undated_count,
    count(*) FILTER (price_status = 'priced') AS priced_count,
    count(*) FILTER (price_status = 'unpriced') AS unpriced_count,
    count(*) FILTER (price_status = 'free') AS free_count,
    CAST(coalesce(sum(list_cost_usd), 0) AS DECIMAL(38,12)) AS list_cost_usd,
    CAST(coalesce(sum(failed_list_cost_usd), 0) AS DECIMAL(38,12)) AS failed_list_cost_usd,
    CAST(sum(logged_cost) FILTER (coalesce(upper(logged_currency), 'USD') = 'USD') AS DECIMAL(38,12))
        AS logged_cost_usd,
    CAST(coalesce(sum(input_tokens), 0) AS BIGINT) AS input_tokens,
    CAST(coalesce(sum(cache_read_tokens), 0) AS BIGINT) AS cache_read_tokens,
    CAST(coalesce(sum(coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_1h_tokens, 0)
        + coalesce(cache_write_other_tokens, 0)), 0) AS BIGINT) AS cache_write_tokens,
    CAST(coalesce(sum(output_tokens), 0) AS BIGINT) AS output_tokens,
    CAST(coalesce(sum(reasoning_tokens), 0) AS BIGINT) AS reasoning_tokens,
    min(started_at) AS first_at,
    max(started_at) AS last_at,
    quantile_cont(latency_ms, [0.5, 0.95, 0.99]) FILTER (status = 'ok') AS latencies
FROM request
)
