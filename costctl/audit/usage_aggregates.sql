-- Sums over many requests, as exports give them; what they do not count is NULL.
SELECT f.format_name AS log_format, u.provider, u.model, count(*) AS row_count,
    CAST(sum(u.aggregate_request_count) AS BIGINT) AS aggregate_request_count,
    CAST(sum(u.input_tokens) AS BIGINT) AS input_tokens,
    CAST(sum(u.cache_read_tokens) AS BIGINT) AS cache_read_tokens,
    CAST(sum(u.output_tokens) AS BIGINT) AS output_tokens,
    CAST(CASE WHEN bool_or(u.price_status IN ('priced', 'free')) THEN sum(u.list_cost_usd) END AS DECIMAL(38,12))
        AS list_cost_usd,
    CAST(sum(u.logged_cost) FILTER (coalesce(upper(u.logged_currency), 'USD') = 'USD') AS DECIMAL(38,12))
        AS logged_cost_usd,
    min(u.started_at) AS first_at, max(coalesce(u.bucket_ends_at, u.started_at)) AS last_at
FROM usage_aggregate u JOIN source_file f USING (file_id)
GROUP BY f.format_name, u.provider, u.model
ORDER BY list_cost_usd DESC NULLS LAST, logged_cost_usd DESC NULLS LAST, input_tokens DESC NULLS LAST, log_format,
    u.provider NULLS LAST, u.model NULLS LAST
