SELECT a.id, (SELECT max(version) FROM events WHERE aggregate = a.id)
FROM aggregates AS a
INNER JOIN aggregate_types AS t ON t.id = a.aggregate_type
WHERE t.name = :aggregate_type AND a.aggregate_id = :aggregate_id
