-- A time is NULL when the partition of its event was taken off.
SELECT last.version, first."timestamp", last."timestamp"
FROM {schema}.aggregates AS a
CROSS JOIN LATERAL (
    SELECT k.version, k.position FROM {schema}.event_keys AS k
    WHERE k.aggregate = a.aggregate ORDER BY k.version DESC LIMIT 1
) AS last_key
LEFT JOIN {schema}.events AS first ON first.position = a.aggregate
LEFT JOIN {schema}.events AS last ON last.position = last_key.position
WHERE a.aggregate_type = %(aggregate_type)s AND a.aggregate_id = %(aggregate_id)s
