SELECT version, timestamp_us, CAST(state AS BLOB), CAST(metadata AS BLOB)
FROM snapshots
WHERE aggregate = :aggregate AND version <= :at_version
ORDER BY version DESC
LIMIT 1
