SELECT s.version, s.timestamp_us, CAST(s.state AS BLOB), CAST(s.metadata AS BLOB)
FROM snapshots AS s
INNER JOIN aggregates AS a ON a.id = s.aggregate
INNER JOIN aggregate_types AS t ON t.id = a.aggregate_type
WHERE t.name = :aggregate_type AND a.aggregate_id = :aggregate_id AND s.version <= :at_version
ORDER BY s.version DESC
LIMIT 1
