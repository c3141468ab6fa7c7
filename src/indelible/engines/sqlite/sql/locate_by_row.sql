-- Whose event stands at a position, by the row, as long as the index agrees with it.
SELECT v.aggregate, v.version
FROM events AS e INNER JOIN versions AS v ON v.aggregate = e.aggregate AND v.version = e.version
WHERE e.position = :position AND v.position = :position
