-- The rows of a profile; `columns` are those of formats/profile.SCHEMA, in its order. A key that the log holds itself is
-- known by the workspace's own hash of it, so here it is named by the first request that has it.
CREATE OR REPLACE TEMP TABLE profile_rows AS
WITH prompt AS (
    SELECT r.prompt_key, row_number() OVER (ORDER BY min(o.number)) AS number
    FROM request r JOIN profile_order o USING (file_id, source_line) WHERE r.prompt_key IS NOT NULL GROUP BY 1
),
system AS (
    SELECT r.system_key, row_number() OVER (ORDER BY min(o.number)) AS number
    FROM request r JOIN profile_order o USING (file_id, source_line) WHERE r.system_key IS NOT NULL GROUP BY 1
),
key AS (
    SELECT r.api_key_id, concat_ws(' ', 'first of', min(o.number), arg_min_null(r.started_at, o.number),
        arg_min_null(r.request_id, o.number)) AS name
    FROM request r JOIN profile_order o USING (file_id, source_line)
    WHERE regexp_full_match(r.api_key_id, 'key-[0-9a-f]{16}') GROUP BY 1
)
SELECT {columns}, o.number
FROM prefixed_request r JOIN profile_order o USING (file_id, source_line)
LEFT JOIN prompt p ON p.prompt_key = r.prompt_key LEFT JOIN system s ON s.system_key = r.system_key
LEFT JOIN key k ON k.api_key_id = r.api_key_id
LEFT JOIN profile_blocks b ON b.number = o.number LEFT JOIN profile_texts t ON t.number = o.number
LEFT JOIN answer_check c ON c.file_id = r.file_id AND c.source_line = r.source_line
LEFT JOIN router_score g ON g.file_id = r.file_id AND g.source_line = r.source_line
