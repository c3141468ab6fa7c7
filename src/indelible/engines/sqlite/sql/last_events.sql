-- The last event and the one before it.
SELECT position, timestamp, hash FROM events ORDER BY position DESC LIMIT 2
