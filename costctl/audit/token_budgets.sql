-- Tokens per UTC day of each {group}, counted per {unit}; over_count counts unit-days over budget. The largest
-- names, and every name that has a budget.
WITH spent AS (
    SELECT {group} AS name, {unit} AS unit, CAST(started_at AS DATE) AS day,
        CAST(sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)) AS BIGINT) AS tokens
    FROM request WHERE {group} IS NOT NULL AND {unit} IS NOT NULL AND started_at IS NOT NULL GROUP BY ALL
)
SELECT name, count(DISTINCT day) AS day_count, CAST(median(tokens) AS BIGINT), max(tokens),
    count(*) FILTER (tokens > max_tokens), arg_max(unit, (tokens, unit)), strftime(arg_max(day, (tokens, unit)), '%Y-%m-%d')
FROM spent LEFT JOIN token_budget USING (name) GROUP BY name
QUALIFY count(max_tokens) > 0 OR row_number() OVER (ORDER BY max(tokens) DESC, name) <= 50
ORDER BY max(tokens) DESC, name
