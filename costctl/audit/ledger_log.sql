-- The log by half hour, model and provider: billed calls, failed ones that are not, and of the billed ones those that failed,
-- each at six prices.
-- Calls that the gateway's own cache answered never reached a provider.
WITH row AS (
    SELECT time_bucket(INTERVAL 30 MINUTES, o.started_at) AS begun_at, {model_key} AS model,
        lower(coalesce(o.provider, nullif(split_part(o.price_key, '/', 1), ''))) AS provider,
        o.price_status = 'not_billed' AS is_failed, o.price_status IN ('unpriced', 'unknown_usage') AS is_unpriced,
        o.status IN ('error', 'cancelled') AND o.price_status <> 'not_billed' AS is_charged,
        o.failed_list_cost_usd IS NULL AS is_bare,
        coalesce(o.input_tokens, 0) AS input_tokens, coalesce(o.cache_read_tokens, 0) AS read_tokens,
        coalesce(o.output_tokens, 0) AS output_tokens,
        coalesce(o.list_cost_usd, 0) AS own, coalesce(o.failed_list_cost_usd, 0) AS failed_own,
        coalesce(f.list_cost_usd, 0) AS own_full, coalesce(f.failed_list_cost_usd, 0) AS failed_own_full,
        coalesce(l.list_cost_usd, 0) AS list, coalesce(l.failed_list_cost_usd, 0) AS failed_list,
        coalesce(m.list_cost_usd, 0) AS list_full, coalesce(m.failed_list_cost_usd, 0) AS failed_list_full,
        coalesce({own_standard}.list_cost_usd, o.list_cost_usd, 0) AS own_standard,
        coalesce({own_standard}.failed_list_cost_usd, o.failed_list_cost_usd, 0) AS failed_own_standard,
        coalesce({list_standard}.list_cost_usd, l.list_cost_usd, 0) AS list_standard,
        coalesce({list_standard}.failed_list_cost_usd, l.failed_list_cost_usd, 0) AS failed_list_standard
    FROM log_own o JOIN log_own_full f USING (file_id, source_line) JOIN {listed} l USING (file_id, source_line)
        JOIN {listed_full} m USING (file_id, source_line)
        {standard}
    WHERE NOT coalesce(o.gateway_cache_hit, false)
)
SELECT begun_at, model, provider, count(*) FILTER (NOT is_failed), count(*) FILTER (is_unpriced),
    count(*) FILTER (is_failed), count(*) FILTER (is_failed AND is_bare), count(*) FILTER (is_charged),
    CAST(coalesce(sum(input_tokens) FILTER (NOT is_failed), 0) AS BIGINT),
    CAST(coalesce(sum(read_tokens) FILTER (NOT is_failed), 0) AS BIGINT),
    CAST(coalesce(sum(output_tokens) FILTER (NOT is_failed), 0) AS BIGINT),
    CAST(sum(own) AS DECIMAL(38,12)), CAST(sum(own_full) AS DECIMAL(38,12)),
    CAST(sum(list) AS DECIMAL(38,12)), CAST(sum(list_full) AS DECIMAL(38,12)),
    CAST(sum(own_standard) AS DECIMAL(38,12)), CAST(sum(list_standard) AS DECIMAL(38,12)),
    CAST(coalesce(sum(input_tokens) FILTER (is_failed), 0) AS BIGINT),
    CAST(coalesce(sum(read_tokens) FILTER (is_failed), 0) AS BIGINT),
    CAST(coalesce(sum(output_tokens) FILTER (is_failed), 0) AS BIGINT),
    CAST(sum(failed_own) AS DECIMAL(38,12)), CAST(sum(failed_own_full) AS DECIMAL(38,12)),
    CAST(sum(failed_list) AS DECIMAL(38,12)), CAST(sum(failed_list_full) AS DECIMAL(38,12)),
    CAST(sum(failed_own_standard) AS DECIMAL(38,12)), CAST(sum(failed_list_standard) AS DECIMAL(38,12)),
    CAST(coalesce(sum(input_tokens) FILTER (is_charged), 0) AS BIGINT),
    CAST(coalesce(sum(read_tokens) FILTER (is_charged), 0) AS BIGINT),
    CAST(coalesce(sum(output_tokens) FILTER (is_charged), 0) AS BIGINT),
    CAST(coalesce(sum(own) FILTER (is_charged), 0) AS DECIMAL(38,12)),
    CAST(coalesce(sum(own_full) FILTER (is_charged), 0) AS DECIMAL(38,12)),
    CAST(coalesce(sum(list) FILTER (is_charged), 0) AS DECIMAL(38,12)),
    CAST(coalesce(sum(list_full) FILTER (is_charged), 0) AS DECIMAL(38,12)),
    CAST(coalesce(sum(own_standard) FILTER (is_charged), 0) AS DECIMAL(38,12)),
    CAST(coalesce(sum(list_standard) FILTER (is_charged), 0) AS DECIMAL(38,12))
FROM row GROUP BY begun_at, model, provider ORDER BY begun_at NULLS LAST, model NULLS LAST, provider NULLS LAST
