SELECT provider, model, count(*) AS request_count, CAST(sum(list_cost_usd) AS DECIMAL(38,12)) AS list_cost_usd
FROM request GROUP BY provider, model ORDER BY provider NULLS LAST, model NULLS LAST
