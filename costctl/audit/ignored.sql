SELECT kind, CAST(sum(record_count) AS BIGINT) AS record_count FROM ignored_record
WHERE file_id IN (SELECT file_id FROM report_file) GROUP BY kind ORDER BY record_count DESC, kind
