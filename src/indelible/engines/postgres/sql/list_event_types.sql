SELECT name, aggregate_type, events FROM {schema}.event_types ORDER BY name, aggregate_type
