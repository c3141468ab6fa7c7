-- The first event of a range whose row does not say what its line says, or that the index does not lead to, and by what
-- it is not found. Of events that are not in the index yet the row alone is looked at.
SELECT position, lost FROM (
    SELECT e.position, CASE
        WHEN typeof(e.line) <> 'text' THEN 'line'
        WHEN e.line ->> '$.position' IS NOT e.position THEN 'position'
        WHEN e.line ->> '$.version' IS NOT e.version THEN 'version'
        WHEN e.line ->> '$.event_type' IS NOT t.name THEN 'event_type'
        WHEN e.line ->> '$.aggregate_type' IS NOT t.aggregate_type THEN 'aggregate_type'
        WHEN e.aggregate_id IS NOT iif(e.version = 1, e.line ->> '$.aggregate_id', NULL) THEN 'aggregate_id'
        WHEN (e.version = 1) IS NOT (e.aggregate = e.position) THEN 'aggregate'
        WHEN e.line ->> '$.aggregate_id' IS NOT f.aggregate_id THEN 'aggregate'
        WHEN e.line -> '$.tags' IS NOT coalesce(e.tags, '[]') THEN 'tags'
        WHEN e.size_bytes IS NOT octet_length(e.line -> '$.metadata') + CASE
            WHEN e.line -> '$.event_data_base64' IS NULL THEN octet_length(e.line -> '$.event_data')
            ELSE octet_length(rtrim(e.line ->> '$.event_data_base64', '=')) * 3 / 4
        END THEN 'size'
        WHEN e.position > :indexed THEN NULL
        WHEN NOT EXISTS (
            SELECT 1 FROM event_ids AS i
            WHERE i.event_id = unhex(substr(e.line, 14, 36), '-') AND i.position = e.position
        ) THEN 'event_id'
        WHEN NOT EXISTS (
            SELECT 1 FROM versions AS i
            WHERE i.aggregate = e.aggregate AND i.version = e.version AND i.position = e.position
        ) THEN 'version'
        WHEN NOT EXISTS (
            SELECT 1 FROM positions_by_type AS i WHERE i.event_type = e.event_type AND i.position = e.position
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
            )
        ) THEN 'tag'
    END AS lost
    FROM events AS e
    LEFT JOIN event_types AS t ON t.id = e.event_type
    LEFT JOIN events AS f ON f.position = e.aggregate
    WHERE e.position BETWEEN :first AND :last
)
WHERE lost IS NOT NULL
ORDER BY position
LIMIT 1
