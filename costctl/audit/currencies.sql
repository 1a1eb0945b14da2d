SELECT upper(logged_currency) AS currency, count(*) AS request_count FROM request
WHERE logged_cost IS NOT NULL AND logged_currency IS NOT NULL GROUP BY 1 ORDER BY 1
