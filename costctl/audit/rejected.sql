SELECT r.reason, count(*) AS record_count, min(s.label) AS source_file, arg_min(r.source_line, (s.label, r.source_line)) AS source_line
FROM rejected_record r JOIN source_file s USING (file_id)
WHERE file_id IN (SELECT file_id FROM report_file) GROUP BY r.reason ORDER BY record_count DESC, r.reason
