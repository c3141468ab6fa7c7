-- An aggregate that is in the index alone: its version and, of the first :limit of some versions, the lines. NULL instead
-- of these when there are none, or when they take more than :size_bytes_max together.
SELECT
    known.aggregate, known.version,
    CASE WHEN (
        SELECT sum(size_bytes) FROM (
            SELECT size_bytes FROM versions
            WHERE aggregate = known.aggregate AND version BETWEEN :first AND :last
            ORDER BY version $order LIMIT :limit
        )
    ) <= :size_bytes_max THEN (
        SELECT CAST(group_concat(line, char(10)) AS BLOB) FROM (
            SELECT e.line
            FROM versions AS v CROSS JOIN rendered_events AS e ON e.position = v.position
            WHERE v.aggregate = known.aggregate AND v.version BETWEEN :first AND :last
            ORDER BY v.version $order LIMIT :limit
        )
    ) END
FROM (
    SELECT a.aggregate, (SELECT max(version) FROM versions WHERE aggregate = a.aggregate) AS version
    FROM aggregates AS a
    WHERE a.aggregate_type = :aggregate_type AND a.aggregate_id = :aggregate_id
) AS known
