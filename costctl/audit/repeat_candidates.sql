-- Successful requests that share app, model and prompt with another, in time order.
SELECT key, epoch_us(started_at), file_id, source_line, is_later_turn FROM (
    SELECT dense_rank() OVER (ORDER BY app, model, prompt_key) AS key, started_at, file_id, source_line, request_id,
        output_tokens, input_tokens, latency_ms,
        -- A later turn whose history is not in the log: the same words may mean something else.
        session_id IS NOT NULL AND turn_count <= 1 AND row_number() OVER (
            PARTITION BY session_id ORDER BY started_at, request_id, output_tokens, input_tokens, latency_ms, file_id, source_line) > 1 AS is_later_turn,
        count(*) OVER (PARTITION BY app, model, prompt_key) AS occurrences
    FROM request WHERE status = 'ok' AND prompt_key IS NOT NULL AND started_at IS NOT NULL
) WHERE occurrences > 1 ORDER BY started_at, request_id, output_tokens, input_tokens, latency_ms, file_id, source_line
