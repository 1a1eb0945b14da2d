-- Ten requests to read first: the lowest scores, the dearest of them first.
SELECT request_id, started_at, tier, model, quality_score, list_cost_usd
FROM request WHERE quality_score IS NOT NULL
ORDER BY quality_score, list_cost_usd DESC NULLS LAST, request_id NULLS LAST LIMIT 10
