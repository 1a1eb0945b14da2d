-- Scores as the log holds them, by tier and model; no score, no row.
SELECT tier, model, count(*) AS scored_count,
    avg(CAST(quality_score AS DECIMAL(18,9))) AS quality_score_mean,
    quantile_cont(quality_score, 0.1) AS quality_score_p10
FROM request WHERE quality_score IS NOT NULL GROUP BY tier, model
ORDER BY tier NULLS LAST, scored_count DESC, model NULLS LAST
