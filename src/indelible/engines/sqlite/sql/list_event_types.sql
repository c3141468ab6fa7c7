-- With how far the index goes: what comes after it is counted in the tail.
SELECT t.id, t.name, t.aggregate_type, coalesce(c.events, 0), (SELECT indexed FROM state)
FROM event_types AS t LEFT JOIN event_counts AS c ON c.event_type = t.id
ORDER BY t.name, t.aggregate_type
