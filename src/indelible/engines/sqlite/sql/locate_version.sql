-- An aggregate's newest event not above a version.
SELECT v.version, v.position, a.aggregate
FROM aggregates AS a
INNER JOIN versions AS v ON v.aggregate = a.aggregate AND v.version <= :version
WHERE a.aggregate_type = :aggregate_type AND a.aggregate_id = :aggregate_id
ORDER BY v.version DESC
LIMIT 1
