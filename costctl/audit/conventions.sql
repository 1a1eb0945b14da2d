-- Records whose own total of tokens contradicts their counts, by file; the commonest reading that fits instead, and how
-- many records that fit as they are read hold such tokens: read the other way, these would be wrong.
WITH fault AS (
    SELECT file_id, total_fault AS reading, count(*) AS n, list(source_line ORDER BY source_line)[1:5] AS lines
    FROM attempt_full WHERE total_fault IS NOT NULL AND file_id IN (SELECT file_id FROM report_file)
    GROUP BY file_id, total_fault
),
worst AS (
    SELECT file_id, CAST(sum(n) AS BIGINT) AS fault_count, arg_max(reading, (n, reading)) AS reading,
        arg_max(lines, (n, reading)) AS lines, max(n) AS most
    FROM fault GROUP BY file_id
),
held AS (
    SELECT file_id,
        count(*) FILTER (coalesce(cache_read_tokens, 0) + coalesce(cache_write_5m_tokens, 0)
            + coalesce(cache_write_1h_tokens, 0) + coalesce(cache_write_other_tokens, 0) > 0) AS cached,
        count(*) FILTER (reasoning_tokens > 0) AS reasoning
    FROM attempt_full WHERE total_fault IS NULL AND file_id IN (SELECT file_id FROM worst) GROUP BY file_id
)
SELECT s.label AS source_file, s.format_name AS log_format, s.totalled AS checked_count,
    w.fault_count, w.reading,
    least(s.totalled - w.fault_count, CASE WHEN w.reading LIKE 'cached%' THEN coalesce(h.cached, 0)
        WHEN w.reading LIKE 'reasoning%' THEN coalesce(h.reasoning, 0) ELSE 0 END) AS contrary_count,
    array_to_string(w.lines, ', ') || CASE WHEN w.most > 5 THEN ', ...' ELSE '' END AS lines
FROM source_file s JOIN worst w USING (file_id) LEFT JOIN held h USING (file_id)
ORDER BY fault_count * 1000000 // s.totalled DESC, s.label
