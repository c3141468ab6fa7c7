INSERT INTO events (
    position, aggregate, version, event_type, event_id, timestamp, hash, aggregate_id, tags, content_type, metadata,
    event_data, event_data_base64
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
