-- What was charged, by UTC day, seller, model and class of token; the rows sum to the total. Requests without a bill
-- are no charge; a request that the gateway's own cache answered consumed nothing.
WITH sums AS (
    SELECT
        CAST(date_trunc('day', started_at) AS TIMESTAMP) AS day_at, provider, price_key,
        -- What is charged by the request has no tokens, so its quantity is the requests.
        [{'rank': 1, 'class': 'input_uncached', 'quantity': sum(input_uncached_tokens), 'usd': sum(input_cost_usd)},
         {'rank': 2, 'class': 'cache_read', 'quantity': sum(cache_read_tokens), 'usd': sum(cache_read_cost_usd)},
         {'rank': 3, 'class': 'cache_write', 'quantity': sum(coalesce(cache_write_5m_tokens, 0)
            + coalesce(cache_write_1h_tokens, 0) + coalesce(cache_write_other_tokens, 0)),
            'usd': sum(cache_write_cost_usd)},
         {'rank': 4, 'class': 'output', 'quantity': sum(output_tokens), 'usd': sum(output_cost_usd)},
         {'rank': 5, 'class': 'fees', 'quantity': count(*) FILTER (fee_cost_usd > 0), 'usd': sum(fee_cost_usd)}] AS parts
    FROM request WHERE price_status IN ('priced', 'free') AND NOT coalesce(gateway_cache_hit, false)
    GROUP BY 1, 2, 3
),
rows AS (SELECT * EXCLUDE (parts), unnest(parts) AS part FROM sums)
SELECT day_at, provider, price_key, part.class AS token_class, CAST(part.quantity AS BIGINT) AS quantity_count,
    CAST(coalesce(part.usd, 0) AS DECIMAL(38,12)) AS list_cost_usd
FROM rows WHERE part.quantity > 0 OR part.usd > 0
ORDER BY day_at NULLS LAST, provider NULLS LAST, price_key, part.rank
