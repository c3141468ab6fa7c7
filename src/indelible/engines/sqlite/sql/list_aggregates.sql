-- One aggregate type's aggregates, ordered by aggregate_id: version, and positions of its first and last event. The range
-- has one bound at each end, so that there is no choice of where to begin.
SELECT a.aggregate_id, v.version, a.aggregate, v.position
FROM aggregates AS a
INNER JOIN versions AS v
    ON v.aggregate = a.aggregate AND v.version = (SELECT max(version) FROM versions WHERE aggregate = a.aggregate)
WHERE a.aggregate_type = :aggregate_type
    AND a.aggregate_id >= :first AND a.aggregate_id < :behind AND a.aggregate_id <> :after
ORDER BY a.aggregate_id
LIMIT :limit
