-- Requests that name the blocks of their prompts, in time order; those of one moment as the log has them.
-- The engine keeps the order, so `rowid` numbers them from 0.
CREATE OR REPLACE TEMP TABLE block_request AS
SELECT coalesce(epoch_us(started_at), replay_offset_ms * 1000) AS time_us,
    dense_rank() OVER (ORDER BY provider, model) - 1 AS model_code, input_tokens, prefix_blocks, block_tokens
FROM request
WHERE len(prefix_blocks) > 0 AND input_tokens IS NOT NULL
    AND (started_at IS NOT NULL OR replay_offset_ms IS NOT NULL)
ORDER BY time_us, file_id, source_line
