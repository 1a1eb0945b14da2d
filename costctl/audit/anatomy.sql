-- Each priced request is in exactly one class: the first that applies, in the order below.
CREATE OR REPLACE TABLE anatomy_row AS
SELECT r.file_id, r.source_line, r.list_cost_usd,
    CASE
        WHEN r.price_status NOT IN ('priced', 'free') THEN NULL
        WHEN {is_failed_or_repeated} THEN 'failed_or_repeated_attempt'
        WHEN h.source_line IS NOT NULL THEN 'exact_repeat'
        WHEN n.source_line IS NOT NULL THEN 'near_repeat'
        {missed_class}
        WHEN r.input_uncached_tokens >= $long_context_tokens THEN 'long_context'
        WHEN r.tier = 'A' AND m.price_class = 'C' THEN 'simple_on_premium'
        WHEN coalesce(r.service_tier, 'standard') NOT IN ('batch', 'flex') AND (
            regexp_matches(lower(concat_ws(' ', r.endpoint, r.app, r.tags)),
                           '(^|[^a-z])(nightly|batch|offline|cron|bulk|backfill|scheduled|nocturno)([^a-z]|$)'))
            THEN 'could_wait'
        WHEN r.tier = 'C' THEN 'complex'
        ELSE 'rest'
    END AS class,
    coalesce(h.is_in_conversation, false) AS is_in_conversation,
    -- What the same tokens would have saved at the cheapest model of the log.
    CASE WHEN $cheap_input IS NOT NULL AND r.list_cost_usd IS NOT NULL THEN greatest(0, r.list_cost_usd - CAST((
        CAST(coalesce(r.input_tokens, 0) - coalesce(r.cache_read_tokens, 0) AS DECIMAL(12,0)) * CAST($cheap_input AS DECIMAL(18,6))
        + CAST(coalesce(r.cache_read_tokens, 0) AS DECIMAL(12,0)) * CAST($cheap_cache_read AS DECIMAL(18,6))
        + CAST(coalesce(r.output_tokens, 0) AS DECIMAL(12,0)) * CAST($cheap_output AS DECIMAL(18,6))
    ) * CAST(0.000001 AS DECIMAL(7,6)) AS DECIMAL(18,12))) END AS cheap_saving_usd
FROM request r
LEFT JOIN call c USING (file_id, source_line)
LEFT JOIN repeat_hit h USING (file_id, source_line)
LEFT JOIN near_hit n USING (file_id, source_line)
LEFT JOIN model_class m ON m.price_key = r.price_key
{missed_join}
