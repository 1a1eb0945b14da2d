SELECT model, min(price_reason) AS reason, count(*) FILTER (is_aggregate IS NULL) AS request_count,
    CAST(sum(input_tokens) AS BIGINT) AS input_tokens, CAST(sum(output_tokens) AS BIGINT) AS output_tokens
FROM bill WHERE price_status = 'unpriced' GROUP BY model ORDER BY request_count DESC, model NULLS LAST
