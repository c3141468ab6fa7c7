-- Every event as the JSON line that the whole system passes on (indelible.events.hashed_line), and its size for pages.
-- A temporary view: it belongs to the code, not to the stored schema. A value of another type than was written, or a row
-- that joins to another aggregate type, shows in the line (or in its absence), so that the hash chain covers both.
CREATE TEMP VIEW rendered_events AS
SELECT
    e.position,
    e.aggregate,
    e.version,
    e.event_id,
    coalesce(octet_length(e.event_data), octet_length(e.event_data_base64))
        + coalesce(octet_length(e.metadata), 2) AS size_bytes,
    printf(
        '{"event_id":"%s","event_type":%s,"aggregate_type":%s,"aggregate_id":%s,"version":%d,"position":%d,'
            || '"timestamp":"%s.%06dZ",%s,"metadata":%s,"tags":%s,"content_type":%s,"hash":"%s"}',
        CASE typeof(e.event_id) WHEN 'blob' THEN lower(
            hex(substr(e.event_id, 1, 4)) || '-' || hex(substr(e.event_id, 5, 2)) || '-'
            || hex(substr(e.event_id, 7, 2)) || '-' || hex(substr(e.event_id, 9, 2)) || '-'
            || hex(substr(e.event_id, 11, 6))
        ) END,
        json_quote(et.name), json_quote(at.name), json_quote(a.aggregate_id), e.version, e.position,
        replace(datetime(e.timestamp_us / 1000000, 'unixepoch'), ' ', 'T'), e.timestamp_us % 1000000,
        CASE
            WHEN typeof(e.event_data) = 'text' AND e.event_data_base64 IS NULL THEN '"event_data":' || e.event_data
            WHEN typeof(e.event_data_base64) = 'text' AND e.event_data IS NULL
                THEN '"event_data_base64":"' || e.event_data_base64 || '"'
        END,
        CASE typeof(e.metadata) WHEN 'null' THEN '{}' WHEN 'text' THEN e.metadata END,
        CASE typeof(e.tags) WHEN 'null' THEN '[]' WHEN 'text' THEN e.tags END,
        CASE typeof(e.content_type) WHEN 'null' THEN '"application/json"' ELSE json_quote(e.content_type) END,
        CASE typeof(e.hash) WHEN 'blob' THEN lower(hex(e.hash)) END
    ) AS line
FROM events AS e
INNER JOIN aggregates AS a ON a.id = e.aggregate
INNER JOIN event_types AS et ON et.id = e.event_type AND et.aggregate_type = a.aggregate_type
INNER JOIN aggregate_types AS at ON at.id = et.aggregate_type;
