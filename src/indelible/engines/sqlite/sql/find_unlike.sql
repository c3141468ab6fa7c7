-- The first event of a range whose row does not say what its line says, and by what. Each is looked up by itself: a row
-- that has another's position now, by damage, may stand anywhere.
WITH RECURSIVE places (position) AS (
    SELECT :first
    UNION ALL
    SELECT position + 1 FROM places WHERE position < :last
)
SELECT position, unlike FROM (
    SELECT p.position, CASE
        WHEN e.position IS NULL THEN 'position'
        WHEN typeof(e.line) <> 'text' OR NOT json_valid(e.line) THEN 'line'
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
        END THEN 'size_bytes'
    END AS unlike
    FROM places AS p
    LEFT JOIN events AS e ON e.position = p.position
    LEFT JOIN event_types AS t ON t.id = e.event_type
    LEFT JOIN events AS f ON f.position = e.aggregate
)
WHERE unlike IS NOT NULL
ORDER BY position
LIMIT 1
