-- How many system prompts one endpoint uses, and what the ones beside the main one cost at most:
-- their characters' share of the input cost, as no prompt cache can share them.
WITH counted AS (
    SELECT app, endpoint, system_key, count(*) AS requests,
        sum(CAST(input_cost_usd * system_chars / nullif(prompt_chars, 0) AS DECIMAL(18,12))) AS input_usd
    FROM request WHERE system_key IS NOT NULL GROUP BY ALL
),
ranked AS (
    SELECT *, row_number() OVER (PARTITION BY app, endpoint ORDER BY requests DESC, system_key) AS rank FROM counted
)
SELECT app, endpoint, count(*) AS system_prompt_count, CAST(sum(requests) AS BIGINT) AS request_count,
    max(requests) / sum(requests) AS main_share_ratio,
    CAST(coalesce(sum(input_usd) FILTER (rank > 1), 0) AS DECIMAL(38,12)) AS drift_cost_at_most_usd
FROM ranked GROUP BY app, endpoint
ORDER BY drift_cost_at_most_usd DESC, request_count DESC, app NULLS LAST, endpoint NULLS LAST
