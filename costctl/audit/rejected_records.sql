SELECT s.label AS source_file, r.source_line, r.byte_offset, r.reason
FROM rejected_record r JOIN source_file s USING (file_id)
WHERE file_id IN (SELECT file_id FROM report_file) ORDER BY s.label, r.source_line, r.reason
