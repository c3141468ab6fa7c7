SELECT position, timestamp FROM events WHERE position IN (SELECT value FROM json_each(:positions))
