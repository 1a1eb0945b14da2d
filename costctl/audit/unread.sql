-- Optional values that could not be read and count as unknown, by column.
SELECT column_name, CAST(sum(value_count) AS BIGINT) AS value_count FROM unread_value
WHERE file_id IN (SELECT file_id FROM report_file) GROUP BY column_name ORDER BY value_count DESC, column_name
