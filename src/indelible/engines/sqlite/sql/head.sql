SELECT position, CAST(line AS BLOB) FROM events ORDER BY position DESC LIMIT 1
