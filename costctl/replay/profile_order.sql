-- The rows of a profile in their order: by call, then by attempt, so that the order of rows breaks every tie as the
-- log's own did. An attempt of a trace is named by its call: only that is asked of traces.
CREATE OR REPLACE TEMP TABLE profile_order AS
WITH chain AS (
    SELECT c.trace_id, c.prompt, c.call_number, p.position
    FROM replay_place p JOIN call c USING (file_id, source_line)
)
SELECT r.file_id, r.source_line, CASE WHEN c.trace_id IS NOT NULL
        THEN concat_ws('/', c.trace_id, h.position) END AS call_name,
    row_number() OVER (
        ORDER BY coalesce(h.position, p.position), c.attempt_number, r.source_line, r.file_id) - 1 AS number
FROM request r LEFT JOIN call c USING (file_id, source_line)
LEFT JOIN chain h ON h.trace_id = c.trace_id AND h.prompt = c.prompt AND h.call_number = c.call_number
LEFT JOIN replay_place p ON p.file_id = r.file_id AND p.source_line = r.source_line
