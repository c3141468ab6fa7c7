SELECT wanted.aggregate_type, wanted.name, t.event_type
FROM unnest(%(aggregate_types)b::text[], %(names)b::text[]) AS wanted (aggregate_type, name)
INNER JOIN {schema}.event_types AS t ON t.aggregate_type = wanted.aggregate_type AND t.name = wanted.name
