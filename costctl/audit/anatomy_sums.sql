SELECT class, count(*), CAST(sum(list_cost_usd) AS DECIMAL(38,12)), CAST(sum(cheap_saving_usd) AS DECIMAL(38,12)),
    count(*) FILTER (is_in_conversation)
FROM anatomy_row WHERE class IS NOT NULL GROUP BY class
