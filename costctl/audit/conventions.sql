-- Records whose own total of tokens contradicts their counts, by file; the commonest reading that fits instead.
WITH fault AS (
    SELECT file_id, total_fault AS reading, count(*) AS n, list(source_line ORDER BY source_line)[1:5] AS lines
    FROM attempt_full WHERE total_fault IS NOT NULL AND file_id IN (SELECT file_id FROM report_file)
    GROUP BY file_id, total_fault
),
worst AS (
    SELECT file_id, CAST(sum(n) AS BIGINT) AS fault_count, arg_max(reading, (n, reading)) AS reading,
        arg_max(lines, (n, reading)) AS lines, max(n) AS most
    FROM fault GROUP BY file_id
)
SELECT s.label AS source_file, s.format_name AS log_format, s.totalled AS checked_count,
    w.fault_count, w.reading,
    array_to_string(w.lines, ', ') || CASE WHEN w.most > 5 THEN ', ...' ELSE '' END AS lines
FROM source_file s JOIN worst w USING (file_id)
ORDER BY fault_count * 1000000 // s.totalled DESC, s.label
