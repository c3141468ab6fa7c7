-- A time is NULL when the partition of its event was taken off.
SELECT a.aggregate_type, a.aggregate_id, last.version, first."timestamp", last."timestamp"
FROM (
    SELECT * FROM {schema}.aggregates
    WHERE (aggregate_type, aggregate_id) > (%(after_type)s, %(after_id)s)
        AND (%(aggregate_type)s::text IS NULL OR aggregate_type = %(aggregate_type)s)
    ORDER BY aggregate_type, aggregate_id
    LIMIT %(limit)s
) AS a
CROSS JOIN LATERAL (
    SELECT k.position FROM {schema}.event_keys AS k
    WHERE k.aggregate = a.aggregate ORDER BY k.version DESC LIMIT 1
) AS last_key
LEFT JOIN {schema}.events AS first ON first.position = a.aggregate
LEFT JOIN {schema}.events AS last ON last.position = last_key.position
ORDER BY a.aggregate_type, a.aggregate_id
