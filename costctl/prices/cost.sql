-- Every row of {source} with its prices: at most one rate per row, none lost.
-- Prices are USD per single token with twelve decimals, so that no product needs rounding.
-- What no row and no rate of this log needs is not computed: a line that ends in `-- only: fact` is
-- left out where the fact does not hold (hours and weekdays of rates; audio, images, reasoning; rows that are sums), the
-- macros part_usd, write_usd, reasoning_usd and fee_usd are then 0, and {other_tiers} is empty where
-- every row is of the standard tier.
WITH at_tier AS (
    SELECT s.*,
        p.price_key, p.price_how, p.price_reason,
        CASE WHEN lower(s.service_tier) IN ('batch', 'flex', 'priority', 'fast')  -- only: tiers
            THEN lower(s.service_tier) ELSE 'standard' END AS wanted_tier,  -- only: tiers
        'standard' AS wanted_tier,  -- only: no tiers
        coalesce($as_of::TIMESTAMP, s.started_at, $priced_at::TIMESTAMP) AS priced_on,
        coalesce(s.input_uncached_tokens, 0) + coalesce(s.cache_read_tokens, 0) + coalesce(s.cache_write_5m_tokens, 0)  -- only: no sums
            + coalesce(s.cache_write_1h_tokens, 0) + coalesce(s.cache_write_other_tokens, 0) AS all_input_tokens,  -- only: no sums
        coalesce(s.context_from_tokens, 0) AS all_input_tokens,  -- only: sums
        s.status IN ('error', 'cancelled') AS is_failed
    FROM {source} s
    LEFT JOIN price_resolution p
        ON s.provider IS NOT DISTINCT FROM p.provider AND s.request_model IS NOT DISTINCT FROM p.request_model
        AND s.response_model IS NOT DISTINCT FROM p.response_model AND s.region IS NOT DISTINCT FROM p.region
),
joined AS (
    SELECT a.*, coalesce(t.model_key, h.model_key) AS rate_key,
        t.model_key IS NULL AND a.wanted_tier <> 'standard' AND h.model_key IS NOT NULL AS is_assumed,
        {rate_columns}
    FROM at_tier a
    LEFT JOIN rate t ON t.model_key = a.price_key
        AND t.service_tier = a.wanted_tier  -- only: tiers
        AND t.service_tier = 'standard'  -- only: no tiers
        AND a.priced_on >= t.from_at AND a.priced_on < t.to_at
        AND hour(a.priced_on) * 60 + minute(a.priced_on) >= t.minute_from  -- only: hours
        AND hour(a.priced_on) * 60 + minute(a.priced_on) < t.minute_to  -- only: hours
        AND (t.weekday_mask >> (isodow(a.priced_on) - 1)) & 1 = 1  -- only: weekdays
        AND a.all_input_tokens >= t.input_from_tokens AND a.all_input_tokens <= t.input_upto_tokens
    LEFT JOIN {other_tiers} h ON h.model_key = a.price_key AND a.wanted_tier <> 'standard'
        AND a.priced_on >= h.from_at AND a.priced_on < h.to_at
        AND hour(a.priced_on) * 60 + minute(a.priced_on) >= h.minute_from  -- only: hours
        AND hour(a.priced_on) * 60 + minute(a.priced_on) < h.minute_to  -- only: hours
        AND (h.weekday_mask >> (isodow(a.priced_on) - 1)) & 1 = 1  -- only: weekdays
        AND a.all_input_tokens >= h.input_from_tokens AND a.all_input_tokens <= h.input_upto_tokens
),
-- Audio and images are parts of input and output; each part is cut to what is left of the whole.
audio_split AS (
    SELECT *,
        least(coalesce(cache_read_audio_tokens, 0), coalesce(cache_read_tokens, 0)) AS read_audio,  -- only: part_usd
        greatest(coalesce(input_audio_tokens, 0) - coalesce(cache_read_audio_tokens, 0), 0) AS said_audio,  -- only: part_usd
        least(coalesce(output_audio_tokens, 0), coalesce(output_tokens, 0)) AS out_audio  -- only: part_usd
        0 AS read_audio, 0 AS said_audio, 0 AS out_audio  -- only: no part_usd
    FROM joined
),
image_split AS (
    SELECT *,
        least(said_audio, coalesce(input_uncached_tokens, 0)) AS in_audio,  -- only: part_usd
        least(coalesce(output_image_tokens, 0), coalesce(output_tokens, 0) - out_audio) AS out_image  -- only: part_usd
        0 AS in_audio, 0 AS out_image  -- only: no part_usd
    FROM audio_split
),
split AS (
    SELECT *,
        least(coalesce(input_image_tokens, 0), coalesce(input_uncached_tokens, 0) - in_audio) AS in_image,  -- only: part_usd
        0 AS in_image,  -- only: no part_usd
        least(coalesce(reasoning_tokens, 0), output_tokens - out_audio - out_image) AS out_reasoning  -- only: reasoning_usd
        0 AS out_reasoning  -- only: no reasoning_usd
    FROM image_split
),
multiplied AS (
    SELECT *,
        usd_of(coalesce(input_uncached_tokens, 0) - in_audio - in_image, price_input)
            + part_usd(in_audio, price_input_audio) + part_usd(in_image, price_input_image) AS input_usd,
        usd_of(coalesce(cache_read_tokens, 0) - read_audio, price_cache_read)
            + part_usd(read_audio, price_cache_read_audio) AS read_usd,
        write_usd(coalesce(cache_write_5m_tokens, 0) + coalesce(cache_write_other_tokens, 0), price_cache_write_5m)
            + write_usd(coalesce(cache_write_1h_tokens, 0), price_cache_write_1h) AS write_usd,
        reasoning_usd(coalesce(out_reasoning, 0), price_reasoning) AS reasoning_usd,
        usd_of(coalesce(output_tokens - out_audio - out_image - out_reasoning, 0), price_output)
            + part_usd(out_audio, price_output_audio) + part_usd(out_image, price_output_image) AS answer_usd,
        fee_usd(coalesce(web_searches, 0), price_web_search_1k)
            + fee_usd(1, price_request_1k)  -- only: no sums
            + fee_usd(coalesce(aggregate_request_count, 0), price_request_1k)  -- only: sums
            AS call_usd,
        is_failed AND $failed = 'input_only' AS is_input_only
    FROM split
),
totalled AS (
    SELECT *,
        CASE WHEN is_input_only THEN 0 ELSE reasoning_usd + answer_usd END AS output_usd,
        CASE WHEN is_input_only THEN 0 ELSE call_usd END AS fee_usd,
        input_usd + read_usd + write_usd
            + CASE WHEN is_input_only THEN 0 ELSE reasoning_usd + answer_usd + call_usd END AS all_usd,
        -- A success without counts is no free request; a failure may truly have produced nothing.
        NOT is_failed AND input_uncached_tokens IS NULL AND price_input > 0 AS lacks_input,
        NOT is_failed AND output_tokens IS NULL AND price_output > 0 AS lacks_output
    FROM multiplied
),
-- standing: 0 priced, 1 answered by the gateway's own cache, 2 failed and not billed, 3 usage unknown, 4 no price
stood AS (
    SELECT *,
        CASE
            WHEN gateway_cache_hit THEN 1
            WHEN is_failed AND $failed = 'unbilled' AND NOT (coalesce(logged_cost, 0) > 0 OR coalesce(output_tokens, 0) > 0)
                THEN 2
            WHEN usage_source = 'missing' THEN 3
            WHEN rate_key IS NULL OR lacks_input OR lacks_output THEN 4
            ELSE 0 END AS standing
    FROM totalled
),
-- A million dollars for one request is a wrong count; the cast then gives NULL. So does a failure of a model without
-- a price: summed by model, a 0 would read as a price.
costed AS (
    SELECT *, TRY_CAST(CASE WHEN standing = 0 THEN all_usd WHEN standing = 1 OR standing = 2 AND rate_key IS NOT NULL
        THEN 0 END AS DECIMAL(18,12)) AS list_cost_usd
    FROM stood
)
SELECT * EXCLUDE ({working_columns}, {price_names}, price_reason, list_cost_usd),
    CASE
        WHEN standing NOT IN (0, 4) OR list_cost_usd IS NOT NULL OR price_key IS NULL THEN price_reason
        WHEN rate_key IS NULL THEN 'no rate of this model is valid at that time'
        WHEN lacks_input THEN 'the log counts no input tokens'
        WHEN lacks_output THEN 'the log counts no output tokens'
        ELSE 'above a million dollars: not a count of one request' END AS price_reason,
    CASE WHEN standing = 1 THEN 'free'
         WHEN standing = 2 THEN 'not_billed'
         WHEN standing = 3 THEN 'unknown_usage'
         WHEN list_cost_usd IS NULL THEN 'unpriced'
         WHEN list_cost_usd = 0 AND price_input = 0 AND price_output = 0 THEN 'free'
         ELSE 'priced' END AS price_status,
    cost_of(input_usd, standing, list_cost_usd) AS input_cost_usd,
    cost_of(read_usd, standing, list_cost_usd) AS cache_read_cost_usd,
    cost_of(write_usd, standing, list_cost_usd) AS cache_write_cost_usd,
    cost_of(output_usd, standing, list_cost_usd) AS output_cost_usd,
    cost_of(CASE WHEN is_input_only THEN 0 ELSE reasoning_usd END, standing, list_cost_usd) AS reasoning_cost_usd,
    cost_of(fee_usd, standing, list_cost_usd) AS fee_cost_usd,
    list_cost_usd,
    CASE WHEN standing = 2 AND rate_key IS NOT NULL AND usage_source <> 'missing'
         THEN TRY_CAST(all_usd - fee_usd AS DECIMAL(18,12)) END AS failed_list_cost_usd,
    is_assumed AND standing = 0 AND list_cost_usd IS NOT NULL AS is_price_assumed
FROM costed
