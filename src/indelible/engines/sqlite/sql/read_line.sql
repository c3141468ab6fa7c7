SELECT CAST(line AS BLOB) FROM events WHERE position = :position
