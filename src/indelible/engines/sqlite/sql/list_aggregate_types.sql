SELECT t.name, t.aggregates, coalesce((SELECT sum(events) FROM event_types WHERE aggregate_type = t.id), 0)
FROM aggregate_types AS t
ORDER BY t.name
