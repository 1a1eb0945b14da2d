-- Each dated row of the invoice with its day. A bucket of a whole day may begin at another zone's midnight.
CREATE OR REPLACE TEMP TABLE invoice_row_day AS
SELECT file_id, source_line, started_at, bucket_ends_at,
    CAST(CASE WHEN bucket_ends_at - started_at >= INTERVAL 23 HOUR THEN started_at + INTERVAL 12 HOUR
        ELSE started_at END AS DATE) AS on_day
FROM invoice_own WHERE started_at IS NOT NULL
