SELECT provider, model, count(*) FILTER (is_aggregate IS NULL) AS request_count,
    CAST(CASE WHEN bool_or(price_status IN ('priced', 'free'))
        OR NOT bool_or(price_status IN ('unpriced', 'unknown_usage'))
        THEN sum(list_cost_usd) END AS DECIMAL(38,12)) AS list_cost_usd
FROM bill GROUP BY provider, model ORDER BY provider NULLS LAST, model NULLS LAST
