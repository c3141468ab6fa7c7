-- What conditions may ask of the last events after a position, newest first.
SELECT t.name, t.aggregate_type, e.tags
FROM events AS e
INNER JOIN event_types AS t ON t.id = e.event_type
WHERE e.position > :after
ORDER BY e.position DESC
LIMIT :events_max
