INSERT INTO {schema}.snapshots (aggregate, version, "timestamp", state, metadata)
SELECT a.aggregate, %(version)s, %(timestamp)s, %(state)s, %(metadata)s
FROM {schema}.aggregates AS a
WHERE a.aggregate_type = %(aggregate_type)s AND a.aggregate_id = %(aggregate_id)s
ON CONFLICT (aggregate, version) DO UPDATE
SET "timestamp" = excluded."timestamp", state = excluded.state, metadata = excluded.metadata
