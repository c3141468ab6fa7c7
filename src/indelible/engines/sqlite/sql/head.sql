SELECT position, timestamp_us, CAST(hash AS BLOB) FROM events ORDER BY position DESC LIMIT 1
