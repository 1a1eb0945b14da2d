-- The calls of the last simulation that another model could have answered, with a text of their user: where the policy
-- sends each, on which of its parts that rests, and what a router may be told of it.
SELECT d.file_id, d.source_line,
    -- Before the session holds it and before it has to fit: a router sees one request.
    coalesce(CASE WHEN $sticky THEN coalesce(d.floored_to, d.raised_to, d.ruled_tier) END, d.routed_tier) AS lane,
    CASE WHEN d.floored_by IS NOT NULL THEN 'routing.floors'
        WHEN d.raised_by IS NOT NULL THEN 'routing.raise'
        WHEN d.predicted_gain IS NOT NULL THEN 'routing.classifier'
        WHEN list_contains($rules, d.routing_reason) THEN 'routing.rules'
        WHEN d.routing_reason LIKE 'intent %' THEN 'routing.matrix' END AS part,
    r.request_model, r.model, r.provider, r.temperature, r.stream, r.max_output_tokens, r.response_format, r.tool_count,
    r.turn_count, r.has_image, r.prompt_chars, r.system_chars, r.history_chars, r.tool_chars, r.user_chars,
    r.input_tokens, r.endpoint, r.app, r.caller, r.user_id, r.user_profile, r.team, r.project, r.region,
    r.service_tier, r.session_id
FROM decision d JOIN request r USING (file_id, source_line)
WHERE NOT d.is_unpriced AND r.status = 'ok' AND r.input_tokens IS NOT NULL AND r.output_tokens IS NOT NULL
    AND (r.started_at IS NOT NULL OR r.replay_offset_ms IS NOT NULL) AND r.user_chars > 0
ORDER BY d.position
