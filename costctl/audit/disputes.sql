-- Merged records whose tokens or cost are not those of the record that counts; what one of both does not know is no
-- dispute, nor are pieces, the growing output of an agent's snapshots, or a cost that was rounded.
CREATE OR REPLACE TEMP TABLE disputed_record AS
WITH keyed AS MATERIALIZED (
    SELECT k.family, k.merge_key, k.row_id, c.row_id IS NOT NULL AS is_kept
    FROM keyed_attempt k LEFT JOIN chosen c USING (row_id) WHERE k.occurrence = 0
),
merged AS MATERIALIZED (
    SELECT k.* FROM keyed k SEMI JOIN (SELECT family, merge_key FROM keyed WHERE NOT is_kept) USING (family, merge_key)
),
counted AS (
    SELECT m.family, m.merge_key, m.row_id, m.is_kept, s.label, a.source_line,
        a.input_uncached_tokens + coalesce(a.cache_read_tokens, 0) + coalesce(a.cache_write_5m_tokens, 0)
            + coalesce(a.cache_write_1h_tokens, 0) + coalesce(a.cache_write_other_tokens, 0) AS input_tokens,
        CASE WHEN m.family <> 'claude_code' THEN a.output_tokens END AS output_tokens,
        a.logged_cost, a.logged_currency
    FROM merged m JOIN attempt_full a USING (row_id) JOIN source_file s USING (file_id)
    WHERE NOT coalesce(a.is_part, false)
)
SELECT o.row_id, o.label, o.source_line, k.label AS kept_label, k.source_line AS kept_line
FROM counted o JOIN counted k USING (family, merge_key)
WHERE k.is_kept AND NOT o.is_kept AND (
    o.input_tokens <> k.input_tokens OR o.output_tokens <> k.output_tokens OR o.logged_currency <> k.logged_currency
    OR abs(o.logged_cost - k.logged_cost) > 0.000001)
