SELECT s.version, s."timestamp", convert_to(s.state, 'UTF8'), convert_to(s.metadata, 'UTF8')
FROM {schema}.snapshots AS s
INNER JOIN {schema}.aggregates AS a ON a.aggregate = s.aggregate
WHERE a.aggregate_type = %(aggregate_type)s AND a.aggregate_id = %(aggregate_id)s AND s.version <= %(at_version)s
ORDER BY s.version DESC
LIMIT 1
