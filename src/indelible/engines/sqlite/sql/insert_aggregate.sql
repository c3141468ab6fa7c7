INSERT INTO aggregates (aggregate_type, aggregate_id) VALUES (?, ?) RETURNING id
