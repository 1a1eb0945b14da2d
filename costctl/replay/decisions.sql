-- What such a router should log of each call, for every call of the last simulation, in its order.
-- Texts are kept once, in the lists of the one row of `decision_names`; a number of -1 finds none.
-- (A subquery for each of these columns would take a second to plan.)
CREATE OR REPLACE VIEW decision AS
SELECT d.position, r.request_id, d.file_id, d.source_line, r.started_at, r.app, r.endpoint, r.session_id,
    -- Equal users have equal hashes in every file; who has a list of users can try them.
    substr(sha256('costctl user:' || r.user_id), 1, 16) AS user_hash,
    n.arms[d.arms + 1] AS experiment_arms,
    CAST(n.arms_share[d.arms + 1] AS DECIMAL(38,18)) AS arm_propensity,
    r.propensity AS logged_propensity,
    r.model AS logged_model,
    n.model[d.model + 1] AS model,
    n.lane[d.lane + 1] AS tier,
    n.lane[d.routed_lane + 1] AS routed_tier,
    n.lane[d.entry_lane + 1] AS entry_tier,
    -- Where the rules and what can hold the call send it, before its session; why not where the rules say.
    n.lane[d.fitted_lane + 1] AS fitted_tier,
    n.stays[d.stays + 1] AS stays_because,
    n.served_by[d.served_by + 1] AS served_by,
    -- What the exact cache made of a call that it did not serve; NULL for a hit and without such a cache.
    n.exact_cache[d.exact_cache + 1] AS exact_cache,
    -- The same of the semantic cache, with the nearest prompt that had a live entry, of any guard.
    n.semantic_cache[d.semantic_cache + 1] AS semantic_cache,
    CASE WHEN d.nearest_ppb >= 0 THEN d.nearest_ppb / 1000000000 END AS nearest_prompt_similarity,
    d.nearest_position AS nearest_position,
    a.request_id AS answered_by_request_id, b.source_line AS answered_by_line,
    CASE WHEN d.similarity_ppb >= 0 THEN d.similarity_ppb / 1000000000 END AS prompt_similarity,
    n.reason[d.reason + 1] AS routing_reason,
    n.reason_tier[d.reason + 1] AS ruled_tier,
    CASE WHEN d.gain_ppb >= 0 THEN d.gain_ppb / 1000000000 END AS predicted_gain,
    n.raise[d.raised_by + 1] AS raised_by,
    n.raise_tier[d.raised_by + 1] AS raised_to,
    n.floor[d.floored_by + 1] AS floored_by,
    n.floor_tier[d.floored_by + 1] AS floored_to,
    -- The floor that kept a budget from taking it down.
    n.floor[d.held_by + 1] AS held_by_floor,
    n.cap[d.cap + 1] AS broken_cap,
    n.cap_limit[d.cap + 1] AS broken_cap_limit,
    -- What had been used of it before this call; of usd_per_request_max what this call would cost.
    CASE n.cap_unit[d.cap + 1] WHEN 'usd' THEN
        CAST(CAST(d.cap_used AS DECIMAL(20,0)) * CAST(0.000000000001 AS DECIMAL(13,12)) AS DECIMAL(38,12)) END
        AS broken_cap_used_usd,
    CASE n.cap_unit[d.cap + 1] WHEN 'tokens' THEN d.cap_used END AS broken_cap_used_tokens,
    CASE n.cap_unit[d.cap + 1] WHEN 'calls' THEN d.cap_used END AS broken_cap_used_count,
    -- What the call itself comes to where it broke the cap; a count needs none.
    CASE n.cap_unit[d.cap + 1] WHEN 'usd' THEN
        CAST(CAST(d.cap_call AS DECIMAL(20,0)) * CAST(0.000000000001 AS DECIMAL(13,12)) AS DECIMAL(38,12)) END
        AS broken_cap_call_usd,
    CASE n.cap_unit[d.cap + 1] WHEN 'tokens' THEN d.cap_call END AS broken_cap_call_tokens,
    d.is_moved, (d.notice & 1) > 0 AS is_degraded, (d.notice & 2) > 0 AS is_over_budget,
    -- By the kill switch, or by a budget that degrades, serves and refuses nothing.
    (d.notice & 4) > 0 OR (d.cap >= 0 AND (d.notice & 3) = 0 AND n.served_by[d.served_by + 1] <> 'refused') AS is_passed_over,
    -- The bits of `kernel`: KILLED, LIMITED, QUEUED, FELL_BACK, ESCALATED, REFRESHED, OVERSPENT.
    (d.notice & 4) > 0 AS is_killed, (d.notice & 8) > 0 AS is_limited, (d.notice & 16) > 0 AS is_queued,
    (d.notice & 32) > 0 AS is_fallback, (d.notice & 64) > 0 AS is_escalated,
    (d.notice & 128) > 0 AS is_refreshed, (d.notice & 256) > 0 AS is_overspent, d.is_cut AS is_cut_by_cap,
    -- Who was passed over (with the reason, parted by semicolons), whose limit made it wait, and how it escalated.
    n.way[d.passed + 1] AS passed_over,
    n.way[d.waited + 1] AS waited_for,
    n.escalation[d.escalated_why + 1] AS escalation_reason,
    CASE WHEN (d.notice & 64) > 0 THEN n.escalation_tier[1] END AS first_answer_tier,
    CASE WHEN (d.notice & 64) > 0 THEN n.escalation_tier[2] END AS escalated_to,
    n.model[d.first_model + 1] AS first_answer_model,
    CASE WHEN d.first_pusd >= 0 THEN
        CAST(CAST(d.first_pusd AS DECIMAL(20,0)) * CAST(0.000000000001 AS DECIMAL(13,12)) AS DECIMAL(38,12)) END
        AS first_answer_cost_usd,
    CASE WHEN d.escalation_pusd >= 0 THEN
        CAST(CAST(d.escalation_pusd AS DECIMAL(20,0)) * CAST(0.000000000001 AS DECIMAL(13,12)) AS DECIMAL(38,12)) END
        AS escalation_cost_usd,
    CASE WHEN d.failed_pusd >= 0 THEN
        CAST(CAST(d.failed_pusd AS DECIMAL(20,0)) * CAST(0.000000000001 AS DECIMAL(13,12)) AS DECIMAL(38,12)) END
        AS failed_attempts_cost_usd,
    d.attempt_count AS attempt_count, d.retry_count AS retry_count, d.hedge_count AS hedge_count,
    d.timeout_count AS timeout_count, d.wait_us / 1000 AS wait_ms,
    CASE WHEN d.latency_us >= 0 THEN d.latency_us / 1000 END AS policy_latency_ms, r.input_tokens, d.output_tokens,
    CAST(CAST(d.baseline_pusd AS DECIMAL(20,0)) * CAST(0.000000000001 AS DECIMAL(13,12)) AS DECIMAL(38,12))
        AS baseline_cost_usd,
    CAST(CAST(d.policy_pusd AS DECIMAL(20,0)) * CAST(0.000000000001 AS DECIMAL(13,12)) AS DECIMAL(38,12))
        AS policy_cost_usd,
    CAST(CAST(d.prompt_cache_change_pusd AS DECIMAL(20,0)) * CAST(0.000000000001 AS DECIMAL(13,12)) AS DECIMAL(38,12))
        AS prompt_cache_change_usd,
    d.cache_read_tokens, r.cache_read_tokens AS logged_cache_read_tokens,
    d.is_unpriced, d.sent_input_tokens AS sent_input_tokens, d.is_batched AS is_batched,
    n.source[d.found_in + 1] AS data_source,
    CAST(CAST(d.extra_pusd AS DECIMAL(20,0)) * CAST(0.000000000001 AS DECIMAL(13,12)) AS DECIMAL(38,12))
        AS extra_cost_usd,
    nullif(array_to_string(list_filter(n.beside, lambda one, bit: (d.beside_bits >> (bit - 1)) & 1 = 1), ', '), '')
        AS beside,
    CAST(CAST(d.idle_pusd AS DECIMAL(20,0)) * CAST(0.000000000001 AS DECIMAL(13,12)) AS DECIMAL(38,12))
        AS idle_cost_usd
FROM decision_row d CROSS JOIN decision_names n JOIN request r USING (file_id, source_line)
LEFT JOIN decision_row b ON b.position = d.answered_by
LEFT JOIN request a ON a.file_id = b.file_id AND a.source_line = b.source_line
