-- The same for several event types. The recursion is a merge: its queue (ORDER BY) holds the next position of each type, so the
-- cost is one index probe for each position, however many types there are and however long their histories. Given the
-- range's near end as well, SQLite would begin each probe there.
WITH RECURSIVE walk (position, event_type) AS (
    SELECT
        (SELECT $first(position) FROM positions_by_type WHERE event_type = type.value AND position BETWEEN :low AND :high),
        type.value
    FROM json_each(:event_types) AS type
    UNION ALL
    SELECT
        (
            SELECT $first(position) FROM positions_by_type
            WHERE event_type = walk.event_type AND position $beyond walk.position AND position $within
        ),
        walk.event_type
    FROM walk WHERE walk.position IS NOT NULL
    ORDER BY 1 $order NULLS LAST
    LIMIT :chunk
)
SELECT json_group_array(position) FILTER (WHERE matches), count(*), $last(position), NULL
FROM (
    SELECT position, (
        (:other_tag IS NULL OR EXISTS (
            SELECT 1 FROM event_tags AS other WHERE other.tag = :other_tag AND other.position = walk.position
        ))
        AND (:more_tags IS NULL OR NOT EXISTS (
            SELECT 1 FROM json_each(:more_tags) AS wanted
            WHERE NOT EXISTS (
                SELECT 1 FROM event_tags AS other WHERE other.tag = wanted.value AND other.position = walk.position
            )
        ))
    ) AS matches
    FROM walk WHERE position IS NOT NULL
)
