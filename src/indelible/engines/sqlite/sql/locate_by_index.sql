-- The same by a walk through the whole index, which needs nothing of the row.
SELECT at.name, a.aggregate_id, i.version
FROM events AS i INDEXED BY events_by_aggregate
INNER JOIN aggregates AS a ON a.id = i.aggregate
INNER JOIN aggregate_types AS at ON at.id = a.aggregate_type
WHERE +i.position = :position
