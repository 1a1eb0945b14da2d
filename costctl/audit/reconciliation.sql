-- Logged against computed cost, for rows that carry a logged cost in USD and a price of ours.
WITH compared AS (
    SELECT r.model, r.logged_cost, r.list_cost_usd,
        r.list_cost_usd - r.logged_cost AS difference,
        -- the same usage as if the cached part cost the full input price: the commonest fault
        CASE WHEN r.cache_read_tokens > 0 AND r.input_uncached_tokens > 0 THEN
            abs(CAST(r.logged_cost AS DOUBLE) - (CAST(r.list_cost_usd - r.cache_read_cost_usd AS DOUBLE)
                + CAST(r.input_cost_usd AS DOUBLE) / r.input_uncached_tokens * r.cache_read_tokens)) < 1e-9 END AS ignores_cache,
        r.logged_cost = 0 AND r.list_cost_usd > 0 AS is_logged_free,
        r.list_cost_usd > 0 AND abs(CAST(r.logged_cost AS DOUBLE) / CAST(r.list_cost_usd AS DOUBLE) - 0.5) < 1e-9 AS is_half,
        r.logged_cost > 0 AND r.list_cost_usd > 0 AS is_both,
        r.list_cost_usd > 0 AND CAST(r.logged_cost AS DOUBLE) / CAST(r.list_cost_usd AS DOUBLE) BETWEEN 50 AND 200 AS is_in_cents
    FROM request r
    WHERE r.logged_cost IS NOT NULL AND r.list_cost_usd IS NOT NULL
      AND coalesce(upper(r.logged_currency), 'USD') = 'USD' AND r.price_status IN ('priced', 'free')
)
SELECT model, count(*) AS request_count,
    CAST(sum(logged_cost) AS DECIMAL(38,12)) AS logged_cost_usd,
    CAST(sum(list_cost_usd) AS DECIMAL(38,12)) AS list_cost_usd,
    CAST(sum(difference) AS DECIMAL(38,12)) AS difference_usd,
    count(*) FILTER (difference <> 0) AS differing_count,
    CASE WHEN count(*) FILTER (difference <> 0) = 0 THEN 'equal to the last digit'
         WHEN count(*) FILTER (ignores_cache) * 2 > count(*) FILTER (difference <> 0) THEN 'logged cost charges cached tokens at the full input price'
         WHEN count(*) FILTER (is_half AND difference <> 0) * 2 > count(*) FILTER (difference <> 0) THEN 'logged cost is half of {ours}: batch price'
         WHEN count(*) FILTER (is_in_cents) * 10 >= count(*) FILTER (is_both) * 9 AND count(*) FILTER (is_in_cents) > 0
            THEN 'logged cost is about 100 times {ours}: cents, it seems'
         WHEN count(*) FILTER (is_logged_free AND difference <> 0) * 2 > count(*) FILTER (difference <> 0) THEN 'logged as free: the logger knew no price'
         ELSE 'logged prices differ from {ours}: ' || printf('%.4f', CAST(sum(logged_cost) AS DOUBLE) / nullif(CAST(sum(list_cost_usd) AS DOUBLE), 0)) || ' times {ours}' END AS explanation
FROM compared GROUP BY model ORDER BY abs(sum(difference)) DESC, model NULLS LAST
