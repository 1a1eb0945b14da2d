-- What a file repeats of another session: the rows at the same place with the same counts (`replay_key`).
-- The parent's own rows count; of two forks of a parent that is not there, and of two files of one session, the earlier.
DELETE FROM chosen WHERE row_id IN (
    WITH told AS (
        SELECT c.row_id, c.first_at, s.format_name, a.session_id, a.forked_from, a.replay_key
        FROM chosen c JOIN attempt_full a USING (row_id) JOIN source_file s USING (file_id)
        WHERE a.forked_from IS NOT NULL AND a.replay_key IS NOT NULL
    ),
    parent AS (SELECT DISTINCT format_name, session_id, replay_key FROM told),
    present AS (SELECT DISTINCT format_name, session_id FROM told),
    ranked AS (
        SELECT t.row_id, p.session_id IS NOT NULL AS is_parents, row_number() OVER (
            PARTITION BY t.format_name, t.replay_key,
                CASE WHEN h.session_id IS NULL THEN t.forked_from ELSE t.session_id END
            ORDER BY t.first_at, t.row_id) AS place
        FROM told t
        LEFT JOIN parent p ON p.format_name = t.format_name AND p.session_id = t.forked_from
            AND p.replay_key = t.replay_key AND t.forked_from <> t.session_id
        LEFT JOIN present h ON h.format_name = t.format_name AND h.session_id = t.forked_from
    )
    SELECT row_id FROM ranked WHERE is_parents OR place > 1
)
