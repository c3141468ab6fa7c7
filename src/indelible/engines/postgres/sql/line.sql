-- An event (row e) as the JSON line that the whole system passes on (indelible.events.hashed_line).
concat(
    '{"event_id":"', e.event_id, '","event_type":', to_json(e.event_type),
    ',"aggregate_type":', to_json(e.aggregate_type), ',"aggregate_id":', to_json(e.aggregate_id),
    ',"version":', e.version, ',"position":', e.position,
    ',"timestamp":"', to_char(e."timestamp" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    CASE
        WHEN e.event_data_base64 IS NULL THEN concat('","event_data":', e.event_data)
        ELSE concat('","event_data_base64":"', e.event_data_base64, '"')
    END,
    ',"metadata":', coalesce(e.metadata, '{}'), ',"tags":', coalesce(e.tags, '[]'),
    ',"content_type":', to_json(coalesce(e.content_type, 'application/json')),
    ',"hash":"', encode(e.hash, 'hex'), '"}'
)
