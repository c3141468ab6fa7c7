-- The first event of a range that an index does not lead to, and by what it is not found. Every index holds what is
-- asked of it here, so the table itself cannot answer in its place.
SELECT position, lost FROM (
    SELECT e.position, CASE
        WHEN NOT EXISTS (
            SELECT 1 FROM events AS i INDEXED BY events_by_event_id
            WHERE i.event_id = e.event_id AND i.position = e.position
        ) THEN 'event_id'
        WHEN NOT EXISTS (
            SELECT 1 FROM events AS i INDEXED BY events_by_aggregate
            WHERE i.aggregate = e.aggregate AND i.version = e.version AND i.position = e.position
        ) THEN 'version'
        WHEN NOT EXISTS (
            SELECT 1 FROM events AS i INDEXED BY events_by_event_type
            WHERE i.event_type = e.event_type AND i.position = e.position
        ) THEN 'event_type'
        WHEN NOT EXISTS (
            SELECT 1 FROM aggregates AS i INDEXED BY sqlite_autoindex_aggregates_1
            WHERE i.aggregate_type = a.aggregate_type AND i.aggregate_id = a.aggregate_id AND i.id = a.id
        ) THEN 'aggregate_id'
        WHEN e.tags IS NOT NULL AND EXISTS (
            SELECT 1 FROM json_each(e.tags) AS tag
            WHERE NOT EXISTS (
                SELECT 1 FROM event_tags AS i
                WHERE i.tag = tag.value AND i.position = e.position AND i.event_type = e.event_type
            )
        ) THEN 'tag'
    END AS lost
    FROM events AS e
    INNER JOIN aggregates AS a ON a.id = e.aggregate
    WHERE e.position BETWEEN :first AND :last
)
WHERE lost IS NOT NULL
ORDER BY position
LIMIT 1
