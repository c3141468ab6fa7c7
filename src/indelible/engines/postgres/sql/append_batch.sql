-- Writes a decided batch: its events, all that leads to them, the catalogue's counts and the new head. Every column is an
-- array in binary: read as JSON, the events cost the database as much again as all the rest. Arrays that stand beside one
-- another in a SELECT's list are taken apart in step, without a table between; one that is NULL gives NULLs.
WITH
-- An aggregate and an event type are named by their first event's position.
new_aggregates AS (
    INSERT INTO {schema}.aggregates (aggregate, aggregate_type, aggregate_id)
    SELECT
        unnest(%(new_aggregates)b::bigint[]), unnest(%(new_aggregate_types)b::text[]),
        unnest(%(new_aggregate_ids)b::text[])
),

counted_aggregates AS (
    INSERT INTO {schema}.aggregate_types AS t (aggregate_type, aggregates)
    SELECT unnest(%(counted_aggregate_types)b::text[]), unnest(%(aggregate_counts)b::bigint[])
    ON CONFLICT (aggregate_type) DO UPDATE SET aggregates = t.aggregates + excluded.aggregates
),

counted_events AS (
    INSERT INTO {schema}.event_types AS t (event_type, aggregate_type, name, events)
    SELECT
        unnest(%(counted_event_types)b::bigint[]), unnest(%(counted_of_aggregate_types)b::text[]),
        unnest(%(counted_names)b::text[]), unnest(%(event_counts)b::bigint[])
    ON CONFLICT (event_type) DO UPDATE SET events = t.events + excluded.events
),

new_tags AS (
    INSERT INTO {schema}.event_tags (tag, position, event_type)
    SELECT unnest(%(tags)b::text[]), unnest(%(tag_positions)b::bigint[]), unnest(%(tag_event_types)b::bigint[])
),

new_keys AS (
    INSERT INTO {schema}.event_keys (position, aggregate, version, event_type, event_id)
    SELECT
        unnest(%(positions)b::bigint[]), unnest(%(aggregates)b::bigint[]), unnest(%(versions)b::bigint[]),
        unnest(%(event_types)b::bigint[]), unnest(%(event_ids)b::uuid[])
),

new_events AS (
    INSERT INTO {schema}.events (
        position, aggregate_type, aggregate_id, version, event_id, event_type, "timestamp",
        event_data, event_data_base64, metadata, tags, content_type, hash
    )
    SELECT
        unnest(%(positions)b::bigint[]), unnest(%(aggregate_types)b::text[]), unnest(%(aggregate_ids)b::text[]),
        unnest(%(versions)b::bigint[]), unnest(%(event_ids)b::uuid[]), unnest(%(event_type_names)b::text[]),
        unnest(%(timestamps)b::timestamptz[]),
        unnest(%(event_data)b::text[]), unnest(%(event_data_base64)b::text[]), unnest(%(metadata)b::text[]),
        unnest(%(tags_of_events)b::text[]), unnest(%(content_types)b::text[]), unnest(%(hashes)b::bytea[])
)

UPDATE {schema}.heads
SET position = %(position)s, "timestamp" = %(timestamp)s, hash = %(hash)s
WHERE partition = 0
