-- The first event of a range that is not stored as it was written, though its line may be what it was, and by what. Each is
-- looked up by itself: a row that has another's position now, by damage, may stand anywhere.
WITH RECURSIVE places (position) AS (
    SELECT :first
    UNION ALL
    SELECT position + 1 FROM places WHERE position < :last
)
SELECT position, unlike FROM (
    SELECT p.position, CASE
        WHEN e.position IS NULL THEN 'position'
        WHEN (e.version = 1) IS NOT (e.aggregate = e.position) THEN 'aggregate'
        WHEN f.version IS NOT 1 OR e.aggregate_id IS NOT f.aggregate_id OR t.aggregate_type IS NOT ft.aggregate_type
            THEN 'aggregate'
        WHEN t.in_line IS NOT '"event_type":' || json_quote(CAST(t.name AS TEXT))
            || ',"aggregate_type":' || json_quote(CAST(t.aggregate_type AS TEXT)) THEN 'event_type'
        WHEN NOT EXISTS (
            SELECT 1 FROM event_types AS i INDEXED BY sqlite_autoindex_event_types_1
            WHERE i.aggregate_type = t.aggregate_type AND i.name = t.name AND i.id = t.id
        ) THEN 'event_type'
        WHEN typeof(e.event_id) <> 'text' THEN 'event_id'
        WHEN typeof(e.timestamp) <> 'text' THEN 'timestamp'
        WHEN typeof(e.hash) <> 'text' THEN 'hash'
        WHEN typeof(e.aggregate_id) <> 'text' THEN 'aggregate_id'
        WHEN typeof(e.tags) NOT IN ('text', 'null') THEN 'tags'
        WHEN typeof(e.content_type) NOT IN ('text', 'null') THEN 'content_type'
        WHEN typeof(e.metadata) NOT IN ('text', 'null') THEN 'metadata'
        WHEN (e.event_data IS NULL) = (e.event_data_base64 IS NULL)
            OR typeof(coalesce(e.event_data, e.event_data_base64)) <> 'text' THEN 'event_data'
    END AS unlike
    FROM places AS p
    LEFT JOIN events AS e ON e.position = p.position
    LEFT JOIN event_types AS t ON t.id = e.event_type
    LEFT JOIN events AS f ON f.position = e.aggregate
    LEFT JOIN event_types AS ft ON ft.id = f.event_type
)
WHERE unlike IS NOT NULL
ORDER BY position
LIMIT 1
