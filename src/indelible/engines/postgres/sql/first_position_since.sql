-- Halves the range until it holds the first position whose timestamp is not below the one given: timestamps never
-- decrease as positions grow, so no index on them is needed. The range's end when there is none.
WITH RECURSIVE search (low, high) AS (
    SELECT %(low)s::bigint, %(high)s::bigint
    UNION ALL
    SELECT
        CASE WHEN is_before THEN middle + 1 ELSE low END,
        CASE WHEN is_before THEN high ELSE middle END
    FROM search
    CROSS JOIN LATERAL (
        SELECT
            (low + high) / 2 AS middle,
            -- A partition that was taken off holds older events.
            coalesce((SELECT e."timestamp" FROM {schema}.events AS e WHERE e.position = (low + high) / 2), 'epoch')
                < %(timestamp)s AS is_before
    ) AS probe
    WHERE low < high
)

SELECT high FROM search WHERE low >= high
