-- Whose event stands at a position. No index begins with it, but one has it behind each event type, of which there are few.
SELECT a.aggregate_type, a.aggregate_id, k.version
FROM {schema}.event_types AS t
INNER JOIN {schema}.event_keys AS k ON k.event_type = t.event_type AND k.position = %(position)s
INNER JOIN {schema}.aggregates AS a ON a.aggregate = k.aggregate
