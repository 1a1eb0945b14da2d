-- Which record of tracing tools stands for which call (`call_place`; NULL: for none). Without answer ids:
-- of spans around one another the innermost that counts tokens is the call, and an outer one with other counts is
-- a sum. Two producers that tell of the same model and counts at the same time tell of one call.
CREATE OR REPLACE TEMP TABLE span_call AS
WITH RECURSIVE record AS (
    SELECT place, any_value(format_name) AS format_name, max(trace_id) AS trace_id, max(answer_id) AS answer_id,
        max(model) AS model, max(request_model) AS request_model, max(producer) AS producer,
        min(started_at) AS started_at, max(ended_at) AS ended_at,
        arg_max(input_tokens, place = row_id) AS input_tokens, arg_max(output_tokens, place = row_id) AS output_tokens,
        bool_or(has_usage) AS has_usage, bool_or(status = 'error') AS is_failed, bool_and(is_all_parts) AS is_only_part
    FROM span_member GROUP BY place
),
within AS (
    SELECT DISTINCT o.place AS outer_place, i.place AS inner_place
    FROM span_member i JOIN span_member o
        ON i.format_name = o.format_name AND i.trace_id = o.trace_id AND i.parent_id = o.span_id
    WHERE i.place <> o.place
),
nested AS (
    SELECT outer_place, inner_place FROM within
    UNION
    SELECT n.outer_place, w.inner_place FROM nested n JOIN within w ON w.outer_place = n.inner_place
    WHERE n.outer_place <> w.inner_place
),
-- What a record of a pair has within it.
filled AS (
    SELECT n.outer_place AS place, bool_or(i.has_usage) AS has_counted
    FROM nested n JOIN record i ON i.place = n.inner_place GROUP BY n.outer_place
),
innermost AS (
    SELECT n.outer_place, i.*
    FROM nested n JOIN record i ON i.place = n.inner_place LEFT JOIN filled f ON f.place = i.place
    WHERE f.place IS NULL OR (i.has_usage AND NOT f.has_counted)
),
around AS (
    SELECT o.place, any_value(o.format_name) AS format_name, any_value(o.has_usage) AS has_usage,
        any_value(o.is_failed) AS is_failed, bool_and(i.is_failed) AS is_all_failed,
        count(*) AS inner_count, min(i.place) AS inner_place,
        count(*) FILTER (i.has_usage) AS counted_count, min(i.place) FILTER (i.has_usage) AS counted_place,
        bool_and(i.input_tokens IS NOT DISTINCT FROM o.input_tokens
            AND i.output_tokens IS NOT DISTINCT FROM o.output_tokens) FILTER (i.has_usage) AS is_equal
    FROM record o JOIN innermost i ON i.outer_place = o.place GROUP BY o.place
),
-- An outer record gives way to what is within it; its time and user are kept where it is surely the same call.
outer_record AS (
    SELECT place, CASE
        WHEN counted_count = 1 AND inner_count = 1 AND is_equal AND format_name = 'otlp' THEN counted_place
        WHEN counted_count = 0 AND inner_count = 1 THEN inner_place END AS call_place
    FROM around
    WHERE counted_count > 0 OR (NOT has_usage AND (is_failed OR NOT is_all_failed))
),
-- An inner record without counts tells of the outer one's call, unless it failed.
inner_record AS (
    SELECT i.place, min(o.place) AS call_place
    FROM innermost i JOIN around o ON o.place = i.outer_place
    WHERE o.has_usage AND o.counted_count = 0 AND NOT i.has_usage AND NOT i.is_failed
    GROUP BY i.place
),
left_over AS (
    SELECT * FROM record WHERE NOT is_only_part
        AND place NOT IN (SELECT place FROM outer_record) AND place NOT IN (SELECT place FROM inner_record)
),
pair AS (
    SELECT a.place AS one, b.place AS other, a.started_at AS one_start, a.ended_at AS one_end,
        b.started_at AS other_start, b.ended_at AS other_end
    FROM left_over a JOIN left_over b USING (format_name, answer_id)
    WHERE a.place <> b.place AND a.producer <> b.producer
    UNION ALL
    SELECT a.place, b.place, a.started_at, a.ended_at, b.started_at, b.ended_at
    FROM left_over a JOIN left_over b USING (format_name, trace_id, has_usage, is_failed)
    WHERE a.place <> b.place AND a.producer <> b.producer AND trace_id <> ''
        AND (a.answer_id IS NULL OR b.answer_id IS NULL) AND (a.model = b.model OR a.request_model = b.request_model)
        AND a.input_tokens IS NOT DISTINCT FROM b.input_tokens AND a.output_tokens IS NOT DISTINCT FROM b.output_tokens
        AND (has_usage OR (is_failed AND a.started_at <= b.started_at AND b.ended_at <= a.ended_at))
),
-- Of two producers that tell of one call, the longer record stands for it: it is that of who asked.
told_twice AS (
    SELECT other AS place, max(one) AS call_place FROM pair
    WHERE one_start <= other_end AND other_start <= one_end
        AND (one_end - one_start, -one) > (other_end - other_start, -other)
    GROUP BY other
),
step AS (
    SELECT r.place, CASE
        WHEN r.is_only_part THEN NULL
        WHEN o.place IS NOT NULL THEN o.call_place
        WHEN i.place IS NOT NULL THEN i.call_place
        WHEN t.place IS NOT NULL THEN t.call_place
        ELSE r.place END AS call_place
    FROM record r LEFT JOIN outer_record o USING (place) LEFT JOIN inner_record i USING (place)
    LEFT JOIN told_twice t USING (place)
),
walked AS (
    SELECT place, call_place FROM step
    UNION
    SELECT w.place, s.call_place FROM walked w JOIN step s ON s.place = w.call_place
    WHERE s.call_place IS DISTINCT FROM s.place
)
-- The end of each walk: a record that stands for itself, or none.
SELECT w.place, max(w.call_place) FILTER (e.call_place = e.place) AS call_place
FROM walked w LEFT JOIN step e ON e.place = w.call_place GROUP BY w.place
