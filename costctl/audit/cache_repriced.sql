-- The candidates with the tokens that the cache would have read and written, to be priced like the log itself.
CREATE OR REPLACE TEMP VIEW cache_repriced AS
SELECT k.model_code, k.is_claimable, r.file_id, r.source_line, r.list_cost_usd AS billed_usd,
    r.input_cost_usd AS billed_input_usd, r.input_uncached_tokens AS billed_input_tokens, p.read_tokens,
    r.provider, r.request_model, r.response_model, r.region, r.started_at, r.service_tier, r.status, r.usage_source,
    r.gateway_cache_hit, r.logged_cost, r.web_searches, r.output_tokens, r.reasoning_tokens, r.input_audio_tokens,
    r.output_audio_tokens, r.input_image_tokens, r.output_image_tokens,
    r.input_uncached_tokens - p.read_tokens - p.written_tokens AS input_uncached_tokens,
    p.read_tokens AS cache_read_tokens, CAST(NULL AS BIGINT) AS cache_read_audio_tokens,
    p.written_tokens AS cache_write_5m_tokens, CAST(NULL AS BIGINT) AS cache_write_1h_tokens,
    CAST(NULL AS BIGINT) AS cache_write_other_tokens
FROM cache_predicted p JOIN cache_candidate k ON k.rowid = p.place JOIN request r USING (file_id, source_line)
