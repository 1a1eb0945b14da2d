-- By format: how many requests carry a cost in USD beside a price of ours, and in how many it is about a hundred times
-- that (within a factor of two, which discounts and old prices explain), or about a hundredth.
SELECT format_name, count(*) AS request_count,
    count(*) FILTER (ratio BETWEEN 50 AND 200) AS cents_count,
    count(*) FILTER (ratio BETWEEN 0.005 AND 0.02) AS hundredth_count
FROM (
    SELECT s.format_name, CAST(r.logged_cost AS DOUBLE) / CAST(r.list_cost_usd AS DOUBLE) AS ratio
    FROM request r JOIN source_file s USING (file_id)
    WHERE r.logged_cost > 0 AND r.list_cost_usd > 0 AND coalesce(upper(r.logged_currency), 'USD') = 'USD'
)
GROUP BY format_name ORDER BY format_name
