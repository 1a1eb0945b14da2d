SELECT DISTINCT upper(logged_currency) FROM request
WHERE logged_cost IS NOT NULL AND logged_currency IS NOT NULL ORDER BY 1
