INSERT INTO events (
    position, aggregate, version, event_type, event_id, timestamp_us,
    event_data, event_data_base64, metadata, tags, content_type, hash
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
