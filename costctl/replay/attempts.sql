-- Every attempt of a known model with how it ended, as a code of `empirical.OUTCOMES`; -1 says nothing about a
-- provider: the user gave up, or the answer is incomplete.
SELECT r.file_id, r.source_line, m.code AS model, coalesce(epoch_us(r.started_at), r.replay_offset_ms * 1000, -1) AS time_us,
    coalesce(CAST(round(r.latency_ms * 1000) AS BIGINT), -1) AS latency_us,
    CAST(CASE
        WHEN r.status = 'ok' THEN 0
        WHEN r.status <> 'error' THEN -1
        WHEN r.http_status = 429 OR regexp_matches(lower(coalesce(r.error_type, '')), 'rate.?limit|429|throttl|too.?many')
            THEN 2
        WHEN r.http_status IN (408, 504) OR regexp_matches(lower(coalesce(r.error_type, '')), 'time.?d?.?out') THEN 4
        WHEN r.http_status >= 500
            OR regexp_matches(lower(coalesce(r.error_type, '')), 'server|overload|unavailable|internal|5\d\d') THEN 3
        ELSE 1 END AS TINYINT) AS outcome
FROM request r JOIN replay_model m ON m.name = r.price_key
