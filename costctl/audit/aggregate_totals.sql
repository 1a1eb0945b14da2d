-- What no row counts is NULL (an export of costs is money alone). A bucket ends where the export says so; a day without an end is told by its begin.
SELECT
    count(*) AS aggregate_row_count,
    CAST(sum(aggregate_request_count) AS BIGINT) AS aggregate_request_count,
    CAST(coalesce(sum(list_cost_usd), 0) AS DECIMAL(38,12)) AS list_cost_usd,
    CAST(sum(logged_cost) FILTER (coalesce(upper(logged_currency), 'USD') = 'USD') AS DECIMAL(38,12))
        AS logged_cost_usd,
    CAST(sum(input_tokens) AS BIGINT) AS input_tokens,
    CAST(sum(cache_read_tokens) AS BIGINT) AS cache_read_tokens,
    CAST(sum(coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_1h_tokens, 0)
        + coalesce(cache_write_other_tokens, 0)) FILTER (usage_source <> 'missing') AS BIGINT) AS cache_write_tokens,
    CAST(sum(output_tokens) AS BIGINT) AS output_tokens,
    CAST(sum(reasoning_tokens) AS BIGINT) AS reasoning_tokens,
    min(started_at) AS first_at,
    max(coalesce(bucket_ends_at, started_at)) AS last_at
FROM usage_aggregate
