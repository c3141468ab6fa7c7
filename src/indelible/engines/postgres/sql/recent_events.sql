-- The last events after a position, newest first: what conditions may ask of them, as long as there are not too many,
-- and their tags are not too long.
SELECT position, event_type, aggregate_type, tags
FROM (
    SELECT
        position, event_type, aggregate_type, tags,
        sum(coalesce(octet_length(tags), 0)) OVER (ORDER BY position DESC) AS size_bytes
    FROM (
        SELECT position, event_type, aggregate_type, tags
        FROM {schema}.events
        WHERE position > %(after)s
        ORDER BY position DESC
        LIMIT %(events_max)s
    ) AS newest
) AS measured
WHERE size_bytes <= %(size_bytes_max)s
ORDER BY position DESC
