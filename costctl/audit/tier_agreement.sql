-- The tier that the log claims against the tier of our rules.
SELECT logged_tier, tier, count(*) AS request_count,
    CAST(sum(list_cost_usd) AS DECIMAL(38,12)) AS list_cost_usd,
    count(*) / sum(count(*)) OVER (PARTITION BY logged_tier) AS share_of_logged_ratio
FROM request WHERE logged_tier IS NOT NULL GROUP BY logged_tier, tier
ORDER BY logged_tier, tier NULLS LAST
