-- The same for an item that too many event types may match: walks the log itself, and compares names.
SELECT json_group_array(position) FILTER (WHERE matches), count(*), $last(position), NULL
FROM (
    SELECT position, (
        EXISTS (
            SELECT 1 FROM event_types AS et
            WHERE et.id = entry.event_type
                AND (:event_types IS NULL OR et.name IN (SELECT value FROM json_each(:event_types)))
                AND (:aggregate_types IS NULL OR et.aggregate_type IN (SELECT value FROM json_each(:aggregate_types)))
        )
        AND NOT EXISTS (
            SELECT 1 FROM json_each(:tags) AS wanted
            WHERE NOT EXISTS (
                SELECT 1 FROM event_tags AS other WHERE other.tag = wanted.value AND other.position = entry.position
            )
        )
    ) AS matches
    FROM (
        SELECT position, event_type FROM events
        WHERE position BETWEEN :low AND :high
        ORDER BY position $order LIMIT :chunk
    ) AS entry
)
