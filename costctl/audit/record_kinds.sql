-- What the records of each format are: requests (or sums), kinds that are none, and what was not understood.
WITH kind AS (
    SELECT format_name, 'accepted' AS standing, '' AS kind, sum(accepted) AS n, NULL AS first_at
    FROM source_file GROUP BY format_name
    UNION ALL
    SELECT s.format_name, 'ignored', i.kind, sum(i.record_count), NULL
    FROM ignored_record i JOIN source_file s USING (file_id) GROUP BY s.format_name, i.kind
    UNION ALL
    SELECT s.format_name, 'rejected', r.reason, count(*), arg_min(s.label || ':' || r.source_line, (s.label, r.source_line))
    FROM rejected_record r JOIN source_file s USING (file_id) GROUP BY s.format_name, r.reason
)
SELECT format_name AS log_format, standing, kind, CAST(n AS BIGINT) AS record_count, first_at AS first_place
FROM kind WHERE n > 0 ORDER BY log_format, standing, record_count DESC, kind
