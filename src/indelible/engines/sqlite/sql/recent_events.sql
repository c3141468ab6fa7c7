-- What conditions may ask of the last events after a position, newest first.
SELECT event_types.name, aggregate_types.name, e.tags
FROM events AS e
INNER JOIN event_types ON event_types.id = e.event_type
INNER JOIN aggregate_types ON aggregate_types.id = event_types.aggregate_type
WHERE e.position > :after
ORDER BY e.position DESC
LIMIT :events_max
