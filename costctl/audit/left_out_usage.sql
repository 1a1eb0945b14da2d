-- Spans of agents that count tokens, where no call of a model in their trace counts any; the outermost of each trace.
WITH beside AS (
    SELECT DISTINCT trace_id, span_id, parent_id, input_tokens, output_tokens FROM left_out_usage
    WHERE file_id IN (SELECT file_id FROM report_file)
)
SELECT count(*), CAST(coalesce(sum(input_tokens), 0) AS BIGINT), CAST(coalesce(sum(output_tokens), 0) AS BIGINT)
FROM beside b
WHERE NOT EXISTS (
    SELECT 1 FROM beside outer_span WHERE outer_span.span_id = b.parent_id AND outer_span.trace_id IS NOT DISTINCT FROM b.trace_id
) AND NOT EXISTS (
    SELECT 1 FROM attempt_full a
    WHERE a.trace_id = b.trace_id AND a.usage_source <> 'missing' AND a.file_id IN (SELECT file_id FROM report_file)
)
