-- What an input file asked, for each answer of another file with its id (`asked_key`), where the id names one question
-- in this report and the answer is of the model that was asked, whatever date its name carries.
CREATE OR REPLACE TEMP TABLE question_answer AS
WITH named AS (
    SELECT c.row_id, s.format_name, a.asked_key, coalesce(a.is_part, false) AS is_question,
        regexp_replace(regexp_replace(lower(a.request_model), '^.*/', ''), {dated}, '') AS asked_model,
        regexp_replace(regexp_replace(lower(a.response_model), '^.*/', ''), {dated}, '') AS answering_model,
        a.prompt_key, a.system_key, a.temperature, a.max_output_tokens
    FROM chosen c JOIN attempt_full a USING (row_id) JOIN source_file s USING (file_id) WHERE a.asked_key IS NOT NULL
),
question AS (
    SELECT format_name, asked_key, min(row_id) AS question_id, any_value(asked_model) AS asked_model FROM named
    WHERE is_question GROUP BY ALL
    HAVING count(DISTINCT (asked_model, prompt_key, system_key, temperature, max_output_tokens)) = 1
)
SELECT n.row_id, q.question_id,
    n.answering_model IS NULL OR q.asked_model IS NULL OR n.answering_model = q.asked_model AS is_same_model
FROM named n JOIN question q USING (format_name, asked_key) WHERE NOT n.is_question
