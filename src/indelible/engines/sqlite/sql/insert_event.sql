INSERT INTO events (position, aggregate, version, event_type, size_bytes, aggregate_id, tags, line)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
