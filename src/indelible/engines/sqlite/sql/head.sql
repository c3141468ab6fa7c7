SELECT position, timestamp_us, hash FROM events ORDER BY position DESC LIMIT 1
