SELECT CAST(line AS BLOB) FROM rendered_events WHERE event_id = :event_id
