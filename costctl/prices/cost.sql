-- Prices every row of {source} into {target}: at most one rate per row, none lost.
CREATE OR REPLACE TABLE {target} AS
WITH at_tier AS (
    SELECT s.*,
        p.price_key, p.price_how, p.price_reason,
        CASE lower(coalesce(s.service_tier, 'standard'))
            WHEN 'batch' THEN 'batch' WHEN 'flex' THEN 'flex' WHEN 'priority' THEN 'priority' WHEN 'fast' THEN 'fast'
            ELSE 'standard' END AS wanted_tier,
        coalesce($as_of::TIMESTAMP, s.started_at, $priced_at::TIMESTAMP) AS priced_on,
        coalesce(s.input_uncached_tokens, 0) + coalesce(s.cache_read_tokens, 0) + coalesce(s.cache_write_5m_tokens, 0)
            + coalesce(s.cache_write_1h_tokens, 0) + coalesce(s.cache_write_other_tokens, 0) AS all_input_tokens
    FROM {source} s
    LEFT JOIN price_resolution p
        ON s.provider IS NOT DISTINCT FROM p.provider AND s.request_model IS NOT DISTINCT FROM p.request_model
        AND s.response_model IS NOT DISTINCT FROM p.response_model AND s.region IS NOT DISTINCT FROM p.region
),
joined AS (
    SELECT a.*, coalesce(t.model_key, h.model_key) AS rate_key,
        t.model_key IS NULL AND a.wanted_tier <> 'standard' AND h.model_key IS NOT NULL AS is_price_assumed,
        {rate_columns}
    FROM at_tier a
    LEFT JOIN rate t ON t.model_key = a.price_key AND t.service_tier = a.wanted_tier
        AND a.priced_on >= t.from_at AND a.priced_on < t.to_at
        AND hour(a.priced_on) * 60 + minute(a.priced_on) >= t.minute_from AND hour(a.priced_on) * 60 + minute(a.priced_on) < t.minute_to
        AND (t.weekday_mask >> (isodow(a.priced_on) - 1)) & 1 = 1
        AND a.all_input_tokens >= t.input_from_tokens AND a.all_input_tokens <= t.input_upto_tokens
    LEFT JOIN rate h ON a.wanted_tier <> 'standard' AND h.model_key = a.price_key AND h.service_tier = 'standard'
        AND a.priced_on >= h.from_at AND a.priced_on < h.to_at
        AND hour(a.priced_on) * 60 + minute(a.priced_on) >= h.minute_from AND hour(a.priced_on) * 60 + minute(a.priced_on) < h.minute_to
        AND (h.weekday_mask >> (isodow(a.priced_on) - 1)) & 1 = 1
        AND a.all_input_tokens >= h.input_from_tokens AND a.all_input_tokens <= h.input_upto_tokens
),
costed AS (
    SELECT *,
        {micro}(greatest(coalesce(input_uncached_tokens, 0) - coalesce(input_audio_tokens, 0), 0), price_input)
            + {micro}(least(coalesce(input_audio_tokens, 0), coalesce(input_uncached_tokens, 0)), price_input_audio) AS input_usd,
        {micro}(greatest(coalesce(cache_read_tokens, 0) - coalesce(cache_read_audio_tokens, 0), 0), price_cache_read)
            + {micro}(least(coalesce(cache_read_audio_tokens, 0), coalesce(cache_read_tokens, 0)), price_cache_read_audio) AS read_usd,
        {micro}(coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_other_tokens, 0), price_cache_write_5m)
            + {micro}(coalesce(cache_write_1h_tokens, 0), price_cache_write_1h) AS write_usd,
        {micro}(greatest(coalesce(output_tokens, 0) - coalesce(output_audio_tokens, 0) - CASE WHEN price_reasoning <> price_output THEN coalesce(reasoning_tokens, 0) ELSE 0 END, 0), price_output)
            + {micro}(least(coalesce(output_audio_tokens, 0), coalesce(output_tokens, 0)), price_output_audio)
            + CASE WHEN price_reasoning <> price_output THEN {micro}(coalesce(reasoning_tokens, 0), price_reasoning) ELSE 0 END AS output_usd,
        {micro}(coalesce(reasoning_tokens, 0), price_reasoning) AS reasoning_usd,
        {micro}(coalesce(web_searches, 0) * 1000, price_web_search_1k) + {micro}(1000, price_request_1k) AS fee_usd,
        CASE
            WHEN coalesce(gateway_cache_hit, false) THEN 'gateway_hit'
            WHEN status IN ('error', 'cancelled') AND NOT (coalesce(logged_cost, 0) > 0 OR coalesce(output_tokens, 0) > 0 OR $failed = 'input_only')
                THEN 'not_billed'
            WHEN usage_source = 'missing' THEN 'unknown_usage'
            WHEN rate_key IS NULL THEN 'unpriced'
            ELSE 'priced' END AS standing
    FROM joined
)
SELECT * EXCLUDE (wanted_tier, priced_on, all_input_tokens, rate_key, is_price_assumed, standing, input_usd, read_usd, write_usd,
        output_usd, reasoning_usd, fee_usd, {price_names}, price_reason),
    CASE WHEN price_key IS NOT NULL AND rate_key IS NULL THEN 'no rate of this model is valid at that time' ELSE price_reason END AS price_reason,
    CASE WHEN standing = 'gateway_hit' THEN 'free'
         WHEN standing = 'priced' AND input_usd + read_usd + write_usd + output_usd + fee_usd = 0 AND price_input = 0 AND price_output = 0 THEN 'free'
         ELSE standing END AS price_status,
    CASE WHEN standing = 'priced' THEN input_usd WHEN standing IN ('gateway_hit', 'not_billed') THEN 0 END::DECIMAL(18,12) AS input_cost_usd,
    CASE WHEN standing = 'priced' THEN read_usd WHEN standing IN ('gateway_hit', 'not_billed') THEN 0 END::DECIMAL(18,12) AS cache_read_cost_usd,
    CASE WHEN standing = 'priced' THEN write_usd WHEN standing IN ('gateway_hit', 'not_billed') THEN 0 END::DECIMAL(18,12) AS cache_write_cost_usd,
    CASE WHEN standing = 'priced' THEN output_usd WHEN standing IN ('gateway_hit', 'not_billed') THEN 0 END::DECIMAL(18,12) AS output_cost_usd,
    CASE WHEN standing = 'priced' THEN reasoning_usd WHEN standing IN ('gateway_hit', 'not_billed') THEN 0 END::DECIMAL(18,12) AS reasoning_cost_usd,
    CASE WHEN standing = 'priced' THEN fee_usd WHEN standing IN ('gateway_hit', 'not_billed') THEN 0 END::DECIMAL(18,12) AS fee_cost_usd,
    CASE WHEN standing = 'priced' THEN input_usd + read_usd + write_usd + output_usd + fee_usd
         WHEN standing IN ('gateway_hit', 'not_billed') THEN 0 END::DECIMAL(18,12) AS list_cost_usd,
    CASE WHEN standing = 'not_billed' AND rate_key IS NOT NULL AND usage_source <> 'missing'
         THEN input_usd + read_usd + write_usd + output_usd END::DECIMAL(18,12) AS failed_list_cost_usd,
    is_price_assumed AND standing = 'priced' AS is_price_assumed
FROM costed
