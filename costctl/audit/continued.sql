-- For each chosen row of a file that begins in the middle of a session (its rows know no session): the row of another
-- file that tells of the same state as the first such row does. What that row knows holds until the file says otherwise.
CREATE OR REPLACE TEMP TABLE continued AS
WITH told AS (
    SELECT a.row_id, a.file_id, a.session_id, a.started_at, a.source_line, a.dedupe_key, a.replay_key, a.is_sidechain
    FROM attempt_full a JOIN source_file s USING (file_id)
    WHERE s.format_name = 'codex_cli' AND a.file_id IN (SELECT file_id FROM report_file)
),
twin AS (
    SELECT b.file_id, b.started_at, b.source_line, t.row_id FROM told b JOIN told t USING (dedupe_key)
    WHERE b.session_id IS NULL AND t.session_id IS NOT NULL
    UNION ALL
    -- a state that was told twice, and the file cut between
    SELECT b.file_id, b.started_at, b.source_line, t.row_id FROM told b JOIN told t USING (replay_key)
    WHERE b.session_id IS NULL AND b.is_sidechain AND t.session_id IS NOT NULL
),
begun AS (
    SELECT file_id, arg_min(row_id, (started_at, source_line, row_id)) AS earlier_id FROM twin GROUP BY file_id
)
SELECT c.row_id, b.earlier_id FROM chosen c JOIN told t USING (row_id) JOIN begun b USING (file_id)
WHERE t.session_id IS NULL
