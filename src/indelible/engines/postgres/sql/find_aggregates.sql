-- Those of a batch's aggregates that exist: their numbers and versions.
SELECT
    wanted.aggregate_type, wanted.aggregate_id, a.aggregate,
    (SELECT max(k.version) FROM {schema}.event_keys AS k WHERE k.aggregate = a.aggregate)
FROM unnest(%(aggregate_types)b::text[], %(aggregate_ids)b::text[]) AS wanted (aggregate_type, aggregate_id)
INNER JOIN {schema}.aggregates AS a
    ON a.aggregate_type = wanted.aggregate_type AND a.aggregate_id = wanted.aggregate_id
