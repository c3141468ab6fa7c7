SELECT event_types.name, aggregate_types.name, event_types.events
FROM event_types
INNER JOIN aggregate_types ON aggregate_types.id = event_types.aggregate_type
ORDER BY event_types.name, aggregate_types.name
