-- The calls of {source} as their own model would have been asked: what is sent in place of what was, the rest as
-- the log has it.
CREATE OR REPLACE TEMP VIEW hypothetical AS
SELECT 0 AS answer, p.position, r.started_at, coalesce(s.service_tier, r.service_tier) AS service_tier, r.web_searches,
    s.fresh + s.read + s.written_5m + s.written_1h + s.written_other AS input_tokens, r.usage_source, r.provider,
    r.request_model, r.response_model, r.region, r.status, r.gateway_cache_hit, r.logged_cost,
    s.fresh AS input_uncached_tokens, s.read AS cache_read_tokens, s.written_5m AS cache_write_5m_tokens,
    s.written_1h AS cache_write_1h_tokens, s.written_other AS cache_write_other_tokens, r.output_tokens,
    r.reasoning_tokens, r.input_audio_tokens, r.cache_read_audio_tokens, r.output_audio_tokens, r.input_image_tokens,
    r.output_image_tokens
FROM {source} s JOIN replay_place p USING (position) JOIN request r USING (file_id, source_line)
