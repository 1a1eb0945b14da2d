SELECT
    {dimension} AS {name},
    count(*) AS request_count,
    count(*) FILTER (r.status = 'error') AS error_count,
    count(*) FILTER (r.price_status = 'unpriced') AS unpriced_count,
    CAST(sum(r.list_cost_usd) AS DECIMAL(38,12)) AS list_cost_usd,
    CAST(sum(r.list_cost_usd) AS DOUBLE) / nullif(CAST((SELECT sum(list_cost_usd) FROM request) AS DOUBLE), 0) AS share_ratio,
    CAST(sum({input}) AS BIGINT) AS input_tokens,
    CAST(sum(r.cache_read_tokens) AS BIGINT) AS cache_read_tokens,
    CAST(sum(r.output_tokens) AS BIGINT) AS output_tokens,
    quantile_cont(r.latency_ms, 0.5) FILTER (r.status = 'ok') AS latency_ms_p50,
    quantile_cont(r.latency_ms, 0.95) FILTER (r.status = 'ok') AS latency_ms_p95
FROM request r
GROUP BY 1
ORDER BY list_cost_usd DESC NULLS LAST, request_count DESC, {name} NULLS LAST
