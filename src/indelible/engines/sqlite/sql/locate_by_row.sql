-- Whose event stands at a position, by the row, as long as the index agrees with it.
SELECT at.name, a.aggregate_id, e.version
FROM events AS e
INNER JOIN events AS i INDEXED BY events_by_aggregate
    ON i.aggregate = e.aggregate AND i.version = e.version AND +i.position = e.position
INNER JOIN aggregates AS a ON a.id = e.aggregate
INNER JOIN aggregate_types AS at ON at.id = a.aggregate_type
WHERE e.position = :position
