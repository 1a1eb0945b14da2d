-- The days of the invoice, and whether its buckets are days or less. A credit may be dated long after the calls: it counts only where nothing else does.
WITH dated AS (
    SELECT d.on_day, d.bucket_ends_at - d.started_at AS size,
        CASE WHEN d.bucket_ends_at - d.started_at > INTERVAL 25 HOUR
            THEN CAST(d.bucket_ends_at - INTERVAL 1 MICROSECOND AS DATE) ELSE d.on_day END AS last_day,
        coalesce(o.logged_cost < 0, false) AS is_credit
    FROM invoice_row_day d JOIN invoice_own o USING (file_id, source_line)
)
SELECT coalesce(min(on_day) FILTER (NOT is_credit), min(on_day)),
    coalesce(max(last_day) FILTER (NOT is_credit), max(last_day)),
    NOT coalesce(bool_or(size > INTERVAL 25 HOUR), false)
FROM dated
