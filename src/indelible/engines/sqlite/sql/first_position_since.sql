-- Halves the range until it holds the first position whose timestamp is not below :timestamp: timestamps never decrease
-- as positions grow, so no index on them is needed. :high when there is none. In the one form of the log's timestamps the
-- order of text is the order of time.
WITH RECURSIVE search (low, high, is_below) AS (
    SELECT :low, :high, NULL
    UNION ALL
    SELECT
        CASE search.is_below WHEN 1 THEN (low + high) / 2 + 1 ELSE low END,
        CASE search.is_below WHEN 0 THEN (low + high) / 2 ELSE high END,
        CASE WHEN search.is_below IS NULL THEN (
            SELECT timestamp < :timestamp FROM events WHERE position = (search.low + search.high) / 2
        ) END
    FROM search WHERE low < high
)
SELECT high FROM search WHERE low >= high
