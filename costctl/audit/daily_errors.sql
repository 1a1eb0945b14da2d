SELECT
    coalesce(strftime(started_at, '%Y-%m-%d'), 'undated') AS day, provider, error_type,
    count(*) AS error_count,
    count(*) / sum(count(*) FILTER (true)) OVER (PARTITION BY day) AS share_ratio
FROM request WHERE status = 'error' GROUP BY day, provider, error_type
ORDER BY day, error_count DESC, provider NULLS LAST, error_type NULLS LAST
