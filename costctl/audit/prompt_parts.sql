-- Which part of the prompt the input consists of. Characters are measured; tokens are bounded by
-- 5 and 3 characters a token (English prose is near 4.5, Spanish near 4, code near 3).
WITH sums AS (
    SELECT count(*) AS requests, sum(input_tokens) AS input,
        sum(system_chars) AS system, sum(tool_chars) AS tools, sum(history_chars) AS history, sum(user_chars) AS user
    FROM request WHERE prompt_chars IS NOT NULL AND input_tokens IS NOT NULL
),
parts AS (
    SELECT 1 AS rank, 'system' AS part, system AS chars, '' AS note FROM sums
    UNION ALL SELECT 2, 'tools', tools, 'results of tools' FROM sums
    UNION ALL SELECT 3, 'history', history, 'earlier turns' FROM sums
    UNION ALL SELECT 4, 'user', "user", 'the last user message' FROM sums
)
SELECT part, CAST(chars AS BIGINT) AS prompt_chars,
    chars / nullif((SELECT sum(chars) FROM parts), 0) AS share_ratio,
    CAST(floor(chars / 5) AS BIGINT) AS input_tokens_low, CAST(ceil(chars / 3) AS BIGINT) AS input_tokens_high, note
FROM (
    SELECT * FROM parts
    UNION ALL SELECT 5, 'retrieved', NULL, 'not identifiable: no log marks retrieved text' FROM sums
) WHERE (SELECT requests FROM sums) > 0 ORDER BY rank
