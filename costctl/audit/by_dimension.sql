-- Spend by one dimension; rows without a value of it are a row of their own, so the sum is the total.
-- The source is the view bill, or bill with a row for each tag of a request, whose rows do not sum to the total.
-- Where the report holds only sums of requests, it is about these, and counts no requests.
SELECT * EXCLUDE (latencies) REPLACE (CAST(list_cost_usd AS DOUBLE)
    / nullif(CAST((SELECT sum(list_cost_usd) FROM bill) AS DOUBLE), 0) AS share_ratio),
    latencies[1] AS latency_ms_p50, latencies[2] AS latency_ms_p95 FROM (
SELECT
    {dimension} AS {column},
    count(*) FILTER (is_aggregate IS NULL) AS request_count,
    count(*) FILTER (status = 'error' AND is_aggregate IS NULL) AS error_count,
    count(*) FILTER (price_status = 'unpriced' AND is_aggregate IS NULL) AS unpriced_count,
    -- What holds nothing but unpriced or uncounted requests and unbilled failures has no cost of 0, but none.
    CAST(CASE WHEN bool_or(price_status IN ('priced', 'free'))
        OR NOT bool_or(price_status IN ('unpriced', 'unknown_usage'))
        THEN sum(list_cost_usd) END AS DECIMAL(38,12)) AS list_cost_usd,
    0.0 AS share_ratio,
    CAST(sum(input_tokens) AS BIGINT) AS input_tokens,
    CAST(sum(cache_read_tokens) AS BIGINT) AS cache_read_tokens,
    CAST(sum(output_tokens) AS BIGINT) AS output_tokens,
    quantile_cont(latency_ms, [0.5, 0.95]) FILTER (status = 'ok') AS latencies
FROM {source}
GROUP BY ALL
)
ORDER BY {order}{column} NULLS LAST
