-- The events of a range as NDJSON in one step, so that no other thread waits for the interpreter while it runs. NULL
-- when they take more than :size_bytes_max together, if that is not NULL. Only these are looked at: what stands after them
-- may be damaged.
SELECT CASE WHEN :size_bytes_max IS NULL OR (
    SELECT coalesce(sum(size_bytes), 0)
    FROM (SELECT size_bytes FROM rendered_events WHERE $range ORDER BY position $order LIMIT :limit)
) <= :size_bytes_max THEN (
    SELECT CAST(group_concat(line, char(10)) AS BLOB)
    FROM (SELECT line FROM rendered_events WHERE $range ORDER BY position $order LIMIT :limit)
) END
