SELECT position, timestamp, hash FROM events ORDER BY position DESC LIMIT 1
