-- Spend by class of token; the rows sum to the total. Reasoning is a part of output.
WITH sums AS (
    SELECT
        sum(input_uncached_tokens) AS fresh, sum(input_cost_usd) AS fresh_usd,
        sum(cache_read_tokens) AS reads, sum(cache_read_cost_usd) AS read_usd,
        sum(coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_1h_tokens, 0)
            + coalesce(cache_write_other_tokens, 0)) AS writes, sum(cache_write_cost_usd) AS write_usd,
        sum(output_tokens) AS outputs, sum(output_cost_usd) AS output_usd,
        sum(fee_cost_usd) AS fee_usd
    FROM bill
)
SELECT token_class, CAST(tokens AS BIGINT) AS tokens, CAST(list_cost_usd AS DECIMAL(38,12)) AS list_cost_usd
FROM (
    SELECT 1 AS rank, 'input_uncached' AS token_class, fresh AS tokens, fresh_usd AS list_cost_usd FROM sums
    UNION ALL SELECT 2, 'cache_read', reads, read_usd FROM sums
    UNION ALL SELECT 3, 'cache_write', writes, write_usd FROM sums
    UNION ALL SELECT 4, 'output', outputs, output_usd FROM sums
    UNION ALL SELECT 5, 'fees', NULL, fee_usd FROM sums
) ORDER BY rank
