-- What the index says of events, of those that are not in it yet.
SELECT
    e.position, t.aggregate_type, coalesce(e.aggregate_id, f.aggregate_id), e.aggregate, e.version,
    unhex(substr(e.line, 14, 36), '-'), t.id, t.name, e.tags
FROM events AS e
INNER JOIN event_types AS t ON t.id = e.event_type
INNER JOIN events AS f ON f.position = e.aggregate
WHERE e.position BETWEEN :first AND :last
ORDER BY e.position
