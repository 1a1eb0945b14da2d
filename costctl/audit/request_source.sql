-- The attempts of this report, each once, with the two columns that everything counts by.
CREATE OR REPLACE TEMP VIEW {source} AS
SELECT a.*,
    coalesce(a.response_model, a.request_model) AS model,
    a.input_uncached_tokens + coalesce(a.cache_read_tokens, 0) + coalesce(a.cache_write_5m_tokens, 0)
        + coalesce(a.cache_write_1h_tokens, 0) + coalesce(a.cache_write_other_tokens, 0) AS input_tokens
FROM (
    SELECT a.* EXCLUDE (row_id) REPLACE (c.first_at AS started_at) FROM attempt_full a JOIN {chosen} c USING (row_id)
    {merged}
) a
