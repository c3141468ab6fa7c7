-- Halves the range until it holds the first position whose timestamp is not below the one given: timestamps never
-- decrease as positions grow, so no index on them is needed. The range's end when there is none.
-- An event whose partition was taken off has the time of the next one that is there (forward; backward: of the one
-- before). So a search for a window's beginning ends before such events, and one for its end behind them, unless it is
-- certain that they are not in the window: then reading the window finds out that they are gone.
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
            coalesce((
                SELECT e."timestamp" FROM {schema}.events AS e
                WHERE e.position {from} (low + high) / 2 ORDER BY e.position {order} LIMIT 1
            ) < %(timestamp)s, %(none_is_before)s) AS is_before
    ) AS probe
    WHERE low < high
)

SELECT high FROM search WHERE low >= high
