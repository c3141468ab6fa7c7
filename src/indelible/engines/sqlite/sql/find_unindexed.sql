-- The first event of a range that the index does not lead to, and by what it is not found.
SELECT position, lost FROM (
    SELECT e.position, CASE
        WHEN NOT EXISTS (
            SELECT 1 FROM event_ids AS i
            WHERE i.event_id = unhex(e.event_id, '-') AND i.position = e.position
        ) THEN 'event_id'
        WHEN NOT EXISTS (
            SELECT 1 FROM versions AS i
            WHERE i.aggregate = e.aggregate AND i.version = e.version AND i.position = e.position
                AND i.size_bytes = r.size_bytes
        ) THEN 'version'
        WHEN NOT EXISTS (
            SELECT 1 FROM positions_by_type AS i
            WHERE i.event_type = e.event_type AND i.position = e.position AND i.size_bytes = r.size_bytes
        ) THEN 'event_type'
        WHEN e.version = 1 AND NOT EXISTS (
            SELECT 1 FROM aggregates AS i
            WHERE i.aggregate_type = t.aggregate_type AND i.aggregate_id = e.aggregate_id AND i.aggregate = e.position
        ) THEN 'aggregate_id'
        WHEN e.tags IS NOT NULL AND EXISTS (
            SELECT 1 FROM json_each(e.tags) AS tag
            WHERE NOT EXISTS (
                SELECT 1 FROM event_tags AS i
                WHERE i.tag = tag.value AND i.position = e.position AND i.event_type = e.event_type
                    AND i.size_bytes = r.size_bytes
            )
        ) THEN 'tag'
    END AS lost
    FROM events AS e
    INNER JOIN rendered_events AS r ON r.position = e.position
    LEFT JOIN event_types AS t ON t.id = e.event_type
    WHERE e.position BETWEEN :first AND :last
)
WHERE lost IS NOT NULL
ORDER BY position
LIMIT 1
