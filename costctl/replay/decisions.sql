-- What such a router should log of each call, for every call of the last simulation, in its order.
-- Texts are kept once, as numbered names.
CREATE OR REPLACE VIEW decision AS
SELECT d.position, r.request_id, d.file_id, d.source_line, r.started_at, r.app, r.endpoint, r.session_id,
    r.model AS logged_model,
    (SELECT any_value(name) FROM decision_name WHERE kind = 'model' AND code = d.model) AS model,
    (SELECT any_value(name) FROM decision_name WHERE kind = 'lane' AND code = d.lane) AS tier,
    (SELECT any_value(name) FROM decision_name WHERE kind = 'lane' AND code = d.routed_lane) AS routed_tier,
    (SELECT any_value(name) FROM decision_name WHERE kind = 'served_by' AND code = d.served_by) AS served_by,
    a.request_id AS answered_by_request_id, b.source_line AS answered_by_line,
    (SELECT any_value(name) FROM decision_name WHERE kind = 'reason' AND code = d.reason) AS routing_reason,
    (SELECT any_value(name) FROM decision_name WHERE kind = 'raise' AND code = d.raised_by) AS raised_by,
    (SELECT any_value(name) FROM decision_name WHERE kind = 'floor' AND code = d.floored_by) AS floored_by,
    (SELECT any_value(name) FROM decision_name WHERE kind = 'cap' AND code = d.cap) AS broken_cap,
    d.is_moved, d.is_degraded, d.is_over_budget, r.input_tokens, d.output_tokens,
    CAST(CAST(d.baseline_pusd AS DECIMAL(20,0)) * CAST(0.000000000001 AS DECIMAL(13,12)) AS DECIMAL(38,12))
        AS baseline_cost_usd,
    CAST(CAST(d.policy_pusd AS DECIMAL(20,0)) * CAST(0.000000000001 AS DECIMAL(13,12)) AS DECIMAL(38,12))
        AS policy_cost_usd,
    CAST(CAST(d.prompt_cache_change_pusd AS DECIMAL(20,0)) * CAST(0.000000000001 AS DECIMAL(13,12)) AS DECIMAL(38,12))
        AS prompt_cache_change_usd,
    d.cache_read_tokens, r.cache_read_tokens AS logged_cache_read_tokens,
    d.is_unpriced
FROM decision_row d JOIN request r USING (file_id, source_line)
LEFT JOIN decision_row b ON b.position = d.answered_by
LEFT JOIN request a ON a.file_id = b.file_id AND a.source_line = b.source_line
