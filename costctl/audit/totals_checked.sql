-- How many records have a total of their own, and how many of these contradict what their format counts.
SELECT s.format_name AS log_format, CAST(sum(s.totalled) AS BIGINT) AS checked_count,
    CAST(coalesce(sum(w.n), 0) AS BIGINT) AS fault_count, max(w.reading) AS reading
FROM source_file s LEFT JOIN (
    SELECT file_id, count(*) AS n, min(total_fault) AS reading FROM attempt_full WHERE total_fault IS NOT NULL
    GROUP BY file_id
) w USING (file_id)
GROUP BY s.format_name HAVING sum(s.totalled) > 0 ORDER BY log_format
