-- What such a router should log of each call, for every call of the replay, in its order.
CREATE OR REPLACE TABLE decision AS
SELECT c.position, c.request_id, c.file_id, c.source_line, c.started_at, c.app, c.endpoint, c.session_id,
    c.model AS logged_model, d.model, d.tier, d.routed_tier, d.served_by,
    a.request_id AS answered_by_request_id, a.source_line AS answered_by_line,
    d.routing_reason, d.raised_by, d.floored_by, d.broken_cap,
    d.is_moved, d.is_degraded, d.is_over_budget, c.input_tokens, d.output_tokens,
    CAST(CAST(d.baseline_pusd AS DECIMAL(20,0)) * CAST(0.000000000001 AS DECIMAL(13,12)) AS DECIMAL(38,12))
        AS baseline_cost_usd,
    CAST(CAST(d.policy_pusd AS DECIMAL(20,0)) * CAST(0.000000000001 AS DECIMAL(13,12)) AS DECIMAL(38,12))
        AS policy_cost_usd,
    d.is_unpriced
FROM replay_call c JOIN replay_decision d USING (position)
LEFT JOIN replay_call a ON a.position = d.answered_by
ORDER BY c.position
