INSERT INTO event_tags (tag, position, event_type) VALUES (?, ?, ?)
