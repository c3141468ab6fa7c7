-- Halves the range until it holds the first position whose timestamp is not below :timestamp_us: timestamps never
-- decrease as positions grow, so no index on them is needed. :high when there is none.
WITH RECURSIVE search (low, high) AS (
    SELECT :low, :high
    UNION ALL
    SELECT
        iif(
            (SELECT timestamp_us FROM events WHERE position = (low + high) / 2) < :timestamp_us,
            (low + high) / 2 + 1, low
        ),
        iif(
            (SELECT timestamp_us FROM events WHERE position = (low + high) / 2) < :timestamp_us,
            high, (low + high) / 2
        )
    FROM search WHERE low < high
)
SELECT high FROM search WHERE low >= high
