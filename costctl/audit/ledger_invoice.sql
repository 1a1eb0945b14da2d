-- The invoice by day, model and kind: what is compared (NULL), credits, and items that are no model, by their own names. What not all rows of a sum say is NULL (amounts: no row). Amounts are rounded to as many decimals as the
-- longest of them has; a row may hide half of the last one.
WITH amount AS (
    SELECT coalesce(max(length(rtrim(split_part(CAST(logged_cost AS VARCHAR), '.', 2), '0'))), 0) AS decimals
    FROM invoice_own WHERE logged_cost IS NOT NULL
),
row AS (
    SELECT d.on_day, {model_key} AS model,
        coalesce(o.aggregate_request_count, CASE WHEN o.is_aggregate IS NULL AND o.request_id IS NOT NULL THEN 1 END)
            AS requests,
        o.logged_cost,
        -- An item of money alone beside rows that name models is no call of any of them.
        CASE WHEN o.logged_cost < 0 THEN 'credit'
            WHEN o.is_aggregate AND o.logged_cost IS NOT NULL AND {model_key} IS NULL AND o.tags IS NOT NULL
                AND o.input_tokens IS NULL AND o.output_tokens IS NULL AND bool_or({model_key} IS NOT NULL) OVER ()
            THEN 'item' END AS kind, o.tags,
        -- A gateway's own table also lists failed calls, which it does not bill.
        CASE WHEN o.price_status = 'not_billed' THEN 0 ELSE o.input_tokens END AS input_tokens,
        CASE WHEN o.price_status = 'not_billed' THEN 0 ELSE o.output_tokens END AS output_tokens,
        CASE WHEN o.price_status = 'not_billed' THEN 0 ELSE coalesce(o.cache_read_tokens, 0) END AS read_tokens,
        CASE WHEN lower(o.service_tier) IN ('batch', 'flex', 'priority', 'fast') THEN lower(o.service_tier)
            ELSE 'standard' END AS tier,
        coalesce({own_standard}.list_cost_usd, o.list_cost_usd) AS own_standard,
        coalesce({list_standard}.list_cost_usd, l.list_cost_usd) AS list_standard,
        o.list_cost_usd AS own, f.list_cost_usd AS own_full, l.list_cost_usd AS list, m.list_cost_usd AS list_full
    FROM invoice_own o JOIN invoice_row_day d USING (file_id, source_line)
        JOIN invoice_own_full f USING (file_id, source_line) JOIN {listed} l USING (file_id, source_line)
        JOIN {listed_full} m USING (file_id, source_line)
        {standard}
    WHERE NOT (coalesce(o.gateway_cache_hit, false) AND coalesce(o.logged_cost, 0) = 0)
)
SELECT CASE WHEN $is_daily THEN on_day END AS on_day, CASE WHEN kind IS NULL THEN model ELSE coalesce(model, tags) END AS model,
    kind, count(*),
    CASE WHEN count(requests) = count(*) THEN CAST(sum(requests) AS BIGINT) END,
    CAST(sum(logged_cost) AS DECIMAL(38,12)),
    CASE WHEN any_value(decimals) > 9 THEN CAST(0 AS DECIMAL(38,12)) ELSE CAST(count(*) AS DECIMAL(18,0))
        * CAST('0.' || repeat('0', any_value(decimals)) || '5' AS DECIMAL(18,12)) END,
    count(*) FILTER (logged_cost IS NULL), list_sort(list(DISTINCT tier)),
    CASE WHEN count(input_tokens) = count(*) THEN CAST(sum(input_tokens) AS BIGINT) END,
    CAST(sum(read_tokens) AS BIGINT), CAST(coalesce(sum(output_tokens), 0) AS BIGINT),
    CASE WHEN count(own) = count(*) THEN CAST(sum(own) AS DECIMAL(38,12)) END,
    CAST(sum(own_full) AS DECIMAL(38,12)), CAST(sum(list) AS DECIMAL(38,12)), CAST(sum(list_full) AS DECIMAL(38,12)),
    CAST(sum(own_standard) AS DECIMAL(38,12)), CAST(sum(list_standard) AS DECIMAL(38,12))
FROM row, amount GROUP BY 1, 2, kind ORDER BY 1 NULLS LAST, 2 NULLS LAST, kind NULLS FIRST
