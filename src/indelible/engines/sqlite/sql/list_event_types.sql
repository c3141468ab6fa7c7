-- With how far the index goes: what comes after it is counted in the tail.
SELECT t.id, t.name, t.aggregate_type, coalesce(c.events, 0), (SELECT indexed FROM state)
FROM event_types AS t LEFT JOIN event_counts AS c ON c.event_type = t.id
WHERE t.name >= :prefix AND t.name < :behind
    AND t.aggregate_type >= :aggregate_prefix AND t.aggregate_type < :aggregate_behind
ORDER BY t.name, t.aggregate_type
