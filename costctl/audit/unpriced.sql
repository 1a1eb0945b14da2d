-- Every model without a price; where its rows have several reasons, each with the count of its rows.
WITH by_reason AS (
    SELECT model, price_reason, count(*) AS row_count, count(*) FILTER (is_aggregate IS NULL) AS request_count,
        sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens
    FROM bill WHERE price_status = 'unpriced' GROUP BY ALL
)
SELECT model,
    CASE WHEN count(*) = 1 THEN min(price_reason)
        ELSE string_agg(price_reason || ' (' || row_count || ')', ', ' ORDER BY row_count DESC, price_reason) END AS reason,
    CAST(sum(request_count) AS BIGINT) AS request_count,
    CAST(sum(input_tokens) AS BIGINT) AS input_tokens, CAST(sum(output_tokens) AS BIGINT) AS output_tokens
FROM by_reason GROUP BY model ORDER BY request_count DESC, model NULLS LAST
