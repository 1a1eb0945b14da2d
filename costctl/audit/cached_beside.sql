-- Files of unknown columns and without totals in which records were refused for more cached tokens than input, while
-- others with cached tokens were read as if these lay inside the input. One in a hundred may be a slip.
SELECT s.label, count(*) AS n, min(r.source_line) AS first_line
FROM rejected_record r JOIN source_file s USING (file_id)
WHERE file_id IN (SELECT file_id FROM report_file) AND s.format_name = 'generic' AND s.totalled = 0 AND r.reason = $reason
    AND EXISTS (SELECT 1 FROM attempt_full a WHERE a.file_id = s.file_id AND a.cache_read_tokens > 0)
GROUP BY s.file_id, s.label
HAVING count(*) * 100 > count(*) + (SELECT count(*) FROM attempt_full a WHERE a.file_id = s.file_id AND a.cache_read_tokens > 0)
ORDER BY s.label
