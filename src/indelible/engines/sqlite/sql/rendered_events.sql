-- Every event as the JSON line that the whole system passes on (indelible.events.hashed_line), and its size for pages.
-- A temporary view: it belongs to the code, not to the stored schema. No line for an event whose type is not there. A value
-- of another type than was written is none here that raises: whether there are any is asked by find_unlike.
CREATE TEMP VIEW rendered_events AS
SELECT
    e.position, e.aggregate, e.version, e.event_type, e.tags,
    coalesce(octet_length(e.event_data), octet_length(e.event_data_base64), 0)
        + coalesce(octet_length(e.metadata), 2) AS size_bytes,
    CASE WHEN t.id IS NOT NULL THEN concat(
        '{"event_id":"', e.event_id, '",', t.in_line, ',"aggregate_id":', json_quote(CAST(e.aggregate_id AS TEXT)),
        ',"version":', e.version, ',"position":', e.position, ',"timestamp":"', e.timestamp,
        CASE WHEN e.event_data_base64 IS NULL THEN '","event_data":' ELSE '","event_data_base64":"' END,
        e.event_data, e.event_data_base64, CASE WHEN e.event_data_base64 IS NOT NULL THEN '"' END,
        ',"metadata":', coalesce(e.metadata, '{}'), ',"tags":', coalesce(e.tags, '[]'),
        ',"content_type":',
        CASE
            WHEN e.content_type IS NULL THEN '"application/json"'
            ELSE json_quote(CAST(e.content_type AS TEXT))
        END,
        ',"hash":"', e.hash, '"}'
    ) END AS line
FROM events AS e LEFT JOIN event_types AS t ON t.id = e.event_type;
