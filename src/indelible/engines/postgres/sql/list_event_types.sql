SELECT name, aggregate_type, events FROM {schema}.event_types
WHERE name >= %(prefix)s AND name < %(behind)s
ORDER BY name, aggregate_type
