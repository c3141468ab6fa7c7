-- The numbers that stand for any of these event types in any of these aggregate types; NULL does not restrict.
SELECT coalesce(array_agg(event_type), '{}')
FROM {schema}.event_types
WHERE (%(event_types)b::text[] IS NULL OR name = ANY(%(event_types)b::text[]))
    AND (%(aggregate_types)b::text[] IS NULL OR aggregate_type = ANY(%(aggregate_types)b::text[]))
