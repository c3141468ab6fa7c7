INSERT INTO snapshots (aggregate, version, timestamp_us, state, metadata)
VALUES (:aggregate, :version, :timestamp_us, :state, :metadata)
ON CONFLICT (aggregate, version) DO UPDATE
SET timestamp_us = excluded.timestamp_us, state = excluded.state, metadata = excluded.metadata
