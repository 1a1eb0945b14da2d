-- What each row of a profile says of its last message of the user and of its answer: numbers in order of appearance, and
-- on the first row of a text or answer what is known of it beside those of lower number.
CREATE OR REPLACE TEMP TABLE profile_texts AS
WITH said AS (
    SELECT o.number, n.prompt, n.answer FROM near_row n JOIN profile_order o USING (file_id, source_line)
),
text AS (
    SELECT prompt, min(number) AS host, row_number() OVER (ORDER BY min(number)) - 1 AS number
    FROM said WHERE prompt >= 0 GROUP BY prompt
),
answer AS (
    SELECT answer, min(number) AS host, row_number() OVER (ORDER BY min(number)) - 1 AS number
    FROM said WHERE answer >= 0 GROUP BY answer
),
near AS (
    SELECT greatest(a.number, b.number) AS number, list(least(a.number, b.number) ORDER BY least(a.number, b.number)) AS texts,
        list(p.similarity ORDER BY least(a.number, b.number)) AS similarities
    FROM carried_near p JOIN text a ON a.prompt = p.one JOIN text b ON b.prompt = p.other GROUP BY ALL
),
alike AS (
    SELECT greatest(a.number, b.number) AS number, list(least(a.number, b.number) ORDER BY least(a.number, b.number)) AS answers
    FROM carried_like p JOIN answer a ON a.answer = p.one JOIN answer b ON b.answer = p.other GROUP BY ALL
)
SELECT s.number, t.number AS text_number, a.number AS answer_number,
    CASE WHEN t.host = s.number THEN k.guard END AS guard, CASE WHEN t.host = s.number THEN [k.slot_0, k.slot_1, k.slot_2, k.slot_3, k.slot_4] END AS slots,
    CASE WHEN t.host = s.number THEN n.texts END AS near_texts,
    CASE WHEN t.host = s.number THEN n.similarities END AS near_ppb,
    CASE WHEN a.host = s.number THEN l.answers END AS like_answers
FROM said s LEFT JOIN text t ON t.prompt = s.prompt LEFT JOIN answer a ON a.answer = s.answer
LEFT JOIN carried_text k ON k.prompt = s.prompt LEFT JOIN near n ON n.number = t.number
LEFT JOIN alike l ON l.number = a.number
