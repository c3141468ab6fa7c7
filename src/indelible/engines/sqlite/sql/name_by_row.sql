-- Who has its first event at a position, by the row, as long as the index agrees with it.
SELECT t.aggregate_type, e.aggregate_id
FROM events AS e
INNER JOIN event_types AS t ON t.id = e.event_type
INNER JOIN aggregates AS a ON a.aggregate_type = t.aggregate_type AND a.aggregate_id = e.aggregate_id
WHERE e.position = :aggregate AND a.aggregate = :aggregate
