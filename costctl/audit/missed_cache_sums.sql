SELECT CAST(coalesce((SELECT sum(usd) FROM (SELECT DISTINCT model_code, model_saving_usd AS usd FROM missed_cache)), 0)
        AS DECIMAL(38,12)) AS recoverable_usd,
    CAST(coalesce(sum(read_at_list_pusd), 0) AS VARCHAR) AS read_at_list_pusd
FROM missed_cache
