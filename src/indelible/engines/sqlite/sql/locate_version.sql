-- An aggregate's newest event not above a version: its version and position, by the index alone.
SELECT e.version, e.position
FROM aggregates AS a
INNER JOIN aggregate_types AS at ON at.id = a.aggregate_type
INNER JOIN events AS e INDEXED BY events_by_aggregate ON e.aggregate = a.id AND e.version <= :version
WHERE at.name = :aggregate_type AND a.aggregate_id = :aggregate_id
ORDER BY e.version DESC
LIMIT 1
