SELECT position, CAST(line AS BLOB) FROM events WHERE position IN (SELECT value FROM json_each(:positions))
