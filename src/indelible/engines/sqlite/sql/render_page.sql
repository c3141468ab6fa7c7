-- The events of a range as NDJSON in one step, so that no other thread waits for the interpreter while it runs. NULL
-- when they take more than :size_bytes_max together.
SELECT CASE WHEN (SELECT coalesce(sum(size_bytes), 0) FROM events WHERE $range) <= :size_bytes_max THEN (
    SELECT CAST(group_concat(line, char(10)) AS BLOB)
    FROM (SELECT line FROM events WHERE $range ORDER BY position $order LIMIT :limit)
) END
