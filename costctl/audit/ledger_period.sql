-- The days of the invoice, and whether its buckets are days or less.
SELECT min(on_day),
    max(CASE WHEN bucket_ends_at - started_at > INTERVAL 25 HOUR
        THEN CAST(bucket_ends_at - INTERVAL 1 MICROSECOND AS DATE) ELSE on_day END),
    NOT coalesce(bool_or(bucket_ends_at - started_at > INTERVAL 25 HOUR), false)
FROM invoice_row_day
