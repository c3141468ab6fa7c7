-- The first event of a range that an index does not lead to, and by what it is not found. With an offset, the database
-- looks in the index for each event; else it may read all keys of the store first, for every page.
SELECT position, lost FROM (
    SELECT e.position, CASE
        WHEN NOT EXISTS (
            SELECT FROM {schema}.event_keys AS k WHERE k.event_id = e.event_id AND k.position = e.position OFFSET 0
        ) THEN 'event_id'
        WHEN NOT EXISTS (
            SELECT FROM {schema}.aggregates AS a
            INNER JOIN {schema}.event_keys AS k ON k.aggregate = a.aggregate
            WHERE a.aggregate_type = e.aggregate_type AND a.aggregate_id = e.aggregate_id
                AND k.version = e.version AND k.position = e.position
            OFFSET 0
        ) THEN CASE
            WHEN EXISTS (
                SELECT FROM {schema}.aggregates AS a
                WHERE a.aggregate_type = e.aggregate_type AND a.aggregate_id = e.aggregate_id
                OFFSET 0
            ) THEN 'version'
            ELSE 'aggregate_id'
        END
        WHEN NOT EXISTS (
            SELECT FROM {schema}.event_types AS t
            INNER JOIN {schema}.event_keys AS k ON k.event_type = t.event_type
            WHERE t.name = e.event_type AND t.aggregate_type = e.aggregate_type AND k.position = e.position
            OFFSET 0
        ) THEN 'event_type'
        WHEN e.tags IS NOT NULL AND EXISTS (
            SELECT FROM json_array_elements_text(e.tags::json) AS wanted (tag)
            WHERE NOT EXISTS (
                SELECT FROM {schema}.event_tags AS i
                INNER JOIN {schema}.event_types AS t ON t.event_type = i.event_type
                WHERE i.tag = wanted.tag AND i.position = e.position
                    AND t.name = e.event_type AND t.aggregate_type = e.aggregate_type
                OFFSET 0
            )
        ) THEN 'tag'
    END AS lost
    FROM {schema}.events AS e
    WHERE e.position BETWEEN %(first)s AND %(last)s
) AS looked_at
WHERE lost IS NOT NULL
ORDER BY position
LIMIT 1
