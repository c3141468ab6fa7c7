-- What the index says of events, of those that are not in it yet.
SELECT
    e.position, t.aggregate_type, e.aggregate_id, e.aggregate, e.version,
    unhex(e.event_id, '-'), t.id, t.name, e.tags
FROM events AS e
INNER JOIN event_types AS t ON t.id = e.event_type
WHERE e.position BETWEEN :first AND :last
ORDER BY e.position
