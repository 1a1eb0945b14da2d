CREATE OR REPLACE TEMP VIEW request_source AS
SELECT a.* REPLACE (c.first_at AS started_at)
FROM attempt a JOIN chosen c ON a.rowid = c.row_id
