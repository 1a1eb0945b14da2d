-- Narrow, frequent work that a small model trained on it could take over. Break-even: training
-- pays if it costs less than what the cheapest model of the log would save in 30 days.
WITH span AS (SELECT greatest(date_diff('day', min(started_at), max(started_at)) + 1, 1) AS days FROM request)
SELECT r.app, r.endpoint, r.intent, count(*) AS request_count,
    count(DISTINCT r.prompt_key) / count(*) AS distinct_prompt_ratio,
    CAST(sum(r.list_cost_usd) AS DECIMAL(38,12)) AS list_cost_usd,
    CAST(sum(a.cheap_saving_usd) / any_value(span.days) * 30 AS DECIMAL(38,12)) AS break_even_one_off_usd
FROM request r JOIN anatomy_row a USING (file_id, source_line), span
WHERE r.status = 'ok' AND r.intent IS NOT NULL AND r.intent <> 'other' AND r.tier IN ('A', 'B') AND r.prompt_key IS NOT NULL
GROUP BY ALL HAVING request_count >= 1000 AND sum(a.cheap_saving_usd) > 0
ORDER BY break_even_one_off_usd DESC, r.app NULLS LAST, r.endpoint NULLS LAST, r.intent LIMIT 20
