-- Blocks of prompts as numbers in order of appearance: nothing is left of them but which are equal.
CREATE OR REPLACE TEMP TABLE profile_blocks AS
WITH held AS (
    SELECT o.number, unnest(r.prefix_blocks) AS block, generate_subscripts(r.prefix_blocks, 1) AS place
    FROM prefixed_request r JOIN profile_order o USING (file_id, source_line) WHERE r.prefix_blocks IS NOT NULL
),
named AS (
    SELECT block, row_number() OVER (ORDER BY min({'number': number, 'place': place})) - 1 AS name
    FROM held GROUP BY block
)
SELECT number, list(name ORDER BY place) AS blocks FROM held JOIN named USING (block) GROUP BY number
