INSERT INTO aggregate_types (name) VALUES (?) RETURNING id
