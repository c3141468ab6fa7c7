-- The last event and the one before it.
SELECT position, timestamp, hash, CAST(line AS BLOB)
FROM (
    SELECT v.position, e.timestamp, e.hash, v.line
    FROM rendered_events AS v INNER JOIN events AS e ON e.position = v.position
    ORDER BY v.position DESC LIMIT 2
)
