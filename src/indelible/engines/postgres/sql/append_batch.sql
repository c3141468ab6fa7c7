-- Writes a decided batch: its events, all that leads to them, the catalogue's counts and the new head. One parameter
-- holds every event as JSON, which costs a third of arrays or COPY on the way.
WITH batch AS MATERIALIZED (
    SELECT *
    FROM json_to_recordset(%(events)s::json) AS one (
        position bigint, aggregate bigint, aggregate_type text, aggregate_id text, version bigint, event_id uuid,
        event_type bigint, event_type_name text, timestamp_us bigint, event_data text, event_data_base64 text,
        metadata text, tags json, content_type text, hash text
    )
),

-- An aggregate and an event type are named by their first event's position.
new_aggregates AS (
    INSERT INTO {schema}.aggregates (aggregate, aggregate_type, aggregate_id)
    SELECT position, aggregate_type, aggregate_id FROM batch WHERE position = aggregate
),

counted_aggregates AS (
    INSERT INTO {schema}.aggregate_types AS t (aggregate_type, aggregates)
    SELECT aggregate_type, count(*) FROM batch WHERE position = aggregate GROUP BY aggregate_type
    ON CONFLICT (aggregate_type) DO UPDATE SET aggregates = t.aggregates + excluded.aggregates
),

counted_events AS (
    INSERT INTO {schema}.event_types AS t (event_type, aggregate_type, name, events)
    SELECT event_type, min(aggregate_type), min(event_type_name), count(*) FROM batch GROUP BY event_type
    ON CONFLICT (event_type) DO UPDATE SET events = t.events + excluded.events
),

new_tags AS (
    INSERT INTO {schema}.event_tags (tag, position, event_type)
    SELECT tag, position, event_type FROM batch, json_array_elements_text(tags) AS tag
),

new_keys AS (
    INSERT INTO {schema}.event_keys (position, aggregate, version, event_type, event_id)
    SELECT position, aggregate, version, event_type, event_id FROM batch
),

new_events AS (
    INSERT INTO {schema}.events (
        position, aggregate_type, aggregate_id, version, event_id, event_type, "timestamp",
        event_data, event_data_base64, metadata, tags, content_type, hash
    )
    SELECT
        position, aggregate_type, aggregate_id, version, event_id, event_type_name,
        timestamptz 'epoch' + timestamp_us * interval '1 microsecond',
        event_data, event_data_base64, metadata, tags::text, content_type, decode(hash, 'hex')
    FROM batch
)

UPDATE {schema}.heads
SET position = %(position)s, "timestamp" = %(timestamp)s, hash = %(hash)s
WHERE partition = 0
