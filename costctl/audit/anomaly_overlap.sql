-- How much of what the narrow scope cost in these days lies inside the wide one.
SELECT coalesce(sum(list_cost_usd) FILTER (CAST({wide} AS VARCHAR) = $wide), 0), coalesce(sum(list_cost_usd), 0)
FROM request WHERE {narrow} = $narrow AND CAST(started_at AS DATE) BETWEEN $first AND $last
