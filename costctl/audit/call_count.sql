SELECT (SELECT count(*) FROM (SELECT DISTINCT trace_id, prompt, call_number FROM call))
    + (SELECT count(*) FROM request WHERE trace_id IS NULL)
