-- Each repeat, and whether it is a later turn whose history is not in the log: the same words may
-- then mean something else.
CREATE OR REPLACE TABLE repeat_hit AS
WITH opening AS (
    SELECT session_id, arg_min((file_id, source_line), (coalesce(epoch_us(started_at), replay_offset_ms * 1000), request_id,
        file_id, source_line)) AS place
    FROM request WHERE status = 'ok' AND prompt_key IS NOT NULL AND session_id IN (
        SELECT session_id FROM request JOIN repeat_place USING (file_id, source_line) WHERE session_id IS NOT NULL)
    GROUP BY session_id
)
SELECT r.file_id, r.source_line,
    coalesce(r.turn_count <= 1 AND o.place <> (r.file_id, r.source_line), false) AS is_in_conversation
FROM request r JOIN repeat_place USING (file_id, source_line) LEFT JOIN opening o ON o.session_id = r.session_id
