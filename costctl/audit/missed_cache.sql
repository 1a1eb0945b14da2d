-- The requests that a prompt cache would have made cheaper, where caching pays for the model as a whole: what its
-- claimable requests save, less what any request of it would pay more for writing.
CREATE OR REPLACE TEMP TABLE missed_cache AS
WITH paying AS (
    SELECT model_code, coalesce(sum(saving_usd) FILTER (is_claimable OR saving_usd < 0), 0) AS model_saving_usd
    FROM cache_saving GROUP BY model_code HAVING model_saving_usd > 0
)
SELECT s.file_id, s.source_line, s.model_code, p.model_saving_usd,
    CAST(s.billed_input_usd * 1000000000000 AS HUGEINT) // s.billed_input_tokens * s.read_tokens AS read_at_list_pusd
FROM cache_saving s JOIN paying p USING (model_code) WHERE s.is_claimable AND s.saving_usd > 0
