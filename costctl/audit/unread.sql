-- Optional values that could not be read and count as unknown, by column; a zone that no time names is told apart.
SELECT column_name, CAST(sum(value_count) AS BIGINT) AS value_count FROM unread_value
WHERE column_name <> 'time_zone' AND file_id IN (SELECT file_id FROM report_file) GROUP BY column_name ORDER BY value_count DESC, column_name
