SELECT
    coalesce(strftime(r.started_at, '%Y-%m-%d'), 'undated') AS day,
    count(*) AS request_count,
    CAST(sum(r.list_cost_usd) AS DECIMAL(38,12)) AS list_cost_usd,
    CAST(sum(r.list_cost_usd) AS DOUBLE) / nullif(count(r.list_cost_usd), 0) AS cost_per_request_usd,
    count(*) FILTER (r.tier = 'A') / count(*) AS tier_a_ratio,
    count(*) FILTER (r.tier = 'B') / count(*) AS tier_b_ratio,
    count(*) FILTER (r.tier = 'C') / count(*) AS tier_c_ratio,
    count(*) FILTER (r.status = 'error') / count(*) AS error_ratio,
    CAST(sum(r.cache_read_tokens) AS DOUBLE) / nullif(CAST(sum({input}) AS DOUBLE), 0) AS prompt_cache_read_ratio,
    count(*) FILTER (r.gateway_cache_hit) / nullif(count(r.gateway_cache_hit), 0) AS gateway_cache_hit_ratio
FROM request r GROUP BY 1 ORDER BY 1
