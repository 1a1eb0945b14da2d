-- What such a router should log of each call, for every call of the last simulation, in its order.
-- Texts are kept once, as numbered names.
CREATE OR REPLACE VIEW decision AS
SELECT d.position, r.request_id, d.file_id, d.source_line, r.started_at, r.app, r.endpoint, r.session_id,
    -- Equal users have equal hashes in every file; who has a list of users can try them.
    substr(sha256('costctl user:' || r.user_id), 1, 16) AS user_hash,
    (SELECT any_value(name) FROM decision_name WHERE kind = 'arms' AND code = d.arms) AS experiment_arms,
    CAST((SELECT any_value(name) FROM decision_name WHERE kind = 'arms share' AND code = d.arms) AS DECIMAL(38,18))
        AS arm_propensity,
    r.propensity AS logged_propensity,
    r.model AS logged_model,
    (SELECT any_value(name) FROM decision_name WHERE kind = 'model' AND code = d.model) AS model,
    (SELECT any_value(name) FROM decision_name WHERE kind = 'lane' AND code = d.lane) AS tier,
    (SELECT any_value(name) FROM decision_name WHERE kind = 'lane' AND code = d.routed_lane) AS routed_tier,
    (SELECT any_value(name) FROM decision_name WHERE kind = 'lane' AND code = d.entry_lane) AS entry_tier,
    -- Where the rules and what can hold the call send it, before its session; why not where the rules say.
    (SELECT any_value(name) FROM decision_name WHERE kind = 'lane' AND code = d.fitted_lane) AS fitted_tier,
    (SELECT any_value(name) FROM decision_name WHERE kind = 'stays' AND code = d.stays) AS stays_because,
    (SELECT any_value(name) FROM decision_name WHERE kind = 'served_by' AND code = d.served_by) AS served_by,
    -- What the exact cache made of a call that it did not serve; NULL for a hit and without such a cache.
    (SELECT any_value(name) FROM decision_name WHERE kind = 'exact cache' AND code = d.exact_cache) AS exact_cache,
    -- The same of the semantic cache, with the nearest prompt that had a live entry, of any guard.
    (SELECT any_value(name) FROM decision_name WHERE kind = 'semantic cache' AND code = d.semantic_cache)
        AS semantic_cache,
    CASE WHEN d.nearest_ppb >= 0 THEN d.nearest_ppb / 1000000000 END AS nearest_prompt_similarity,
    d.nearest_position AS nearest_position,
    a.request_id AS answered_by_request_id, b.source_line AS answered_by_line,
    CASE WHEN d.similarity_ppb >= 0 THEN d.similarity_ppb / 1000000000 END AS prompt_similarity,
    (SELECT any_value(name) FROM decision_name WHERE kind = 'reason' AND code = d.reason) AS routing_reason,
    (SELECT any_value(name) FROM decision_name WHERE kind = 'reason tier' AND code = d.reason) AS ruled_tier,
    CASE WHEN d.gain_ppb >= 0 THEN d.gain_ppb / 1000000000 END AS predicted_gain,
    (SELECT any_value(name) FROM decision_name WHERE kind = 'raise' AND code = d.raised_by) AS raised_by,
    (SELECT any_value(name) FROM decision_name WHERE kind = 'raise tier' AND code = d.raised_by) AS raised_to,
    (SELECT any_value(name) FROM decision_name WHERE kind = 'floor' AND code = d.floored_by) AS floored_by,
    (SELECT any_value(name) FROM decision_name WHERE kind = 'floor tier' AND code = d.floored_by) AS floored_to,
    (SELECT any_value(name) FROM decision_name WHERE kind = 'cap' AND code = d.cap) AS broken_cap,
    (SELECT any_value(name) FROM decision_name WHERE kind = 'cap limit' AND code = d.cap) AS broken_cap_limit,
    -- What had been used of it before this call; of usd_per_request_max what this call would cost.
    CASE u.name WHEN 'usd' THEN
        CAST(CAST(d.cap_used AS DECIMAL(20,0)) * CAST(0.000000000001 AS DECIMAL(13,12)) AS DECIMAL(38,12)) END
        AS broken_cap_used_usd,
    CASE u.name WHEN 'tokens' THEN d.cap_used END AS broken_cap_used_tokens,
    CASE u.name WHEN 'calls' THEN d.cap_used END AS broken_cap_used_count,
    -- What the call itself comes to where it broke the cap; a count needs none.
    CASE u.name WHEN 'usd' THEN
        CAST(CAST(d.cap_call AS DECIMAL(20,0)) * CAST(0.000000000001 AS DECIMAL(13,12)) AS DECIMAL(38,12)) END
        AS broken_cap_call_usd,
    CASE u.name WHEN 'tokens' THEN d.cap_call END AS broken_cap_call_tokens,
    d.is_moved, (d.notice & 1) > 0 AS is_degraded, (d.notice & 2) > 0 AS is_over_budget,
    -- By the kill switch, or by a budget that degrades, serves and refuses nothing.
    (d.notice & 4) > 0 OR (d.cap >= 0 AND (d.notice & 3) = 0
        AND (SELECT any_value(name) FROM decision_name WHERE kind = 'served_by' AND code = d.served_by) <> 'refused')
        AS is_passed_over,
    -- The bits of `kernel`: KILLED, LIMITED, QUEUED, FELL_BACK, ESCALATED, REFRESHED.
    (d.notice & 4) > 0 AS is_killed, (d.notice & 8) > 0 AS is_limited, (d.notice & 16) > 0 AS is_queued,
    (d.notice & 32) > 0 AS is_fallback, (d.notice & 64) > 0 AS is_escalated,
    (d.notice & 128) > 0 AS is_refreshed, d.is_cut AS is_cut_by_cap,
    -- Who was passed over (with the reason, parted by semicolons), whose limit made it wait, and how it escalated.
    (SELECT any_value(name) FROM decision_name WHERE kind = 'way' AND code = d.passed) AS passed_over,
    (SELECT any_value(name) FROM decision_name WHERE kind = 'way' AND code = d.waited) AS waited_for,
    (SELECT any_value(name) FROM decision_name WHERE kind = 'escalation' AND code = d.escalated_why)
        AS escalation_reason,
    (SELECT any_value(name) FROM decision_name WHERE kind = 'escalation tier' AND code = 0 AND (d.notice & 64) > 0)
        AS first_answer_tier,
    (SELECT any_value(name) FROM decision_name WHERE kind = 'escalation tier' AND code = 1 AND (d.notice & 64) > 0)
        AS escalated_to,
    (SELECT any_value(name) FROM decision_name WHERE kind = 'model' AND code = d.first_model) AS first_answer_model,
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
    (SELECT any_value(name) FROM decision_name WHERE kind = 'source' AND code = d.found_in) AS data_source,
    CAST(CAST(d.extra_pusd AS DECIMAL(20,0)) * CAST(0.000000000001 AS DECIMAL(13,12)) AS DECIMAL(38,12))
        AS extra_cost_usd,
    (SELECT string_agg(name, ', ' ORDER BY code) FROM decision_name
        WHERE kind = 'beside' AND (d.beside_bits >> code) & 1 = 1) AS beside,
    CAST(CAST(d.idle_pusd AS DECIMAL(20,0)) * CAST(0.000000000001 AS DECIMAL(13,12)) AS DECIMAL(38,12))
        AS idle_cost_usd
FROM decision_row d JOIN request r USING (file_id, source_line)
LEFT JOIN decision_name u ON u.kind = 'cap unit' AND u.code = d.cap
LEFT JOIN decision_row b ON b.position = d.answered_by
LEFT JOIN request a ON a.file_id = b.file_id AND a.source_line = b.source_line
