-- An aggregate's newest event not above a version: its version and position.
SELECT k.version, k.position
FROM {schema}.aggregates AS a
INNER JOIN {schema}.event_keys AS k ON k.aggregate = a.aggregate AND k.version <= %(version)s
WHERE a.aggregate_type = %(aggregate_type)s AND a.aggregate_id = %(aggregate_id)s
ORDER BY k.version DESC
LIMIT 1
