-- Input tokens that the visible text cannot account for even at 3 characters a token.
SELECT count(*) FILTER (input_tokens > prompt_chars / 3.0 + 50) AS hidden_count, count(*) AS text_count
FROM request WHERE prompt_chars IS NOT NULL AND input_tokens IS NOT NULL
