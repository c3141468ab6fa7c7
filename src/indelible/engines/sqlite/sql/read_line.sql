SELECT CAST(line AS BLOB) FROM rendered_events WHERE position = :position
