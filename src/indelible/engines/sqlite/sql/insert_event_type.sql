INSERT INTO event_types (aggregate_type, name) VALUES (?, ?) RETURNING id
