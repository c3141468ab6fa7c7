-- Of each aggregate type one range of the index, one type after the other, until the page is full. A time is NULL when
-- the partition of its event was taken off.
SELECT a.aggregate_type, a.aggregate_id, last.version, first."timestamp", last."timestamp"
FROM (
    SELECT of_type.*
    FROM (
        SELECT aggregate_type FROM {schema}.aggregate_types
        WHERE aggregate_type >= %(first_type)s AND aggregate_type <= %(last_type)s
        ORDER BY aggregate_type
    ) AS t
    CROSS JOIN LATERAL (
        SELECT * FROM {schema}.aggregates AS listed
        WHERE listed.aggregate_type = t.aggregate_type
            AND listed.aggregate_id > CASE WHEN t.aggregate_type = %(after_type)s THEN %(after_id)s ELSE '' END
            AND listed.aggregate_id >= %(prefix)s AND listed.aggregate_id < %(behind)s
        ORDER BY listed.aggregate_id
        LIMIT %(limit)s
    ) AS of_type
    ORDER BY t.aggregate_type, of_type.aggregate_id
    LIMIT %(limit)s
) AS a
CROSS JOIN LATERAL (
    SELECT k.position FROM {schema}.event_keys AS k
    WHERE k.aggregate = a.aggregate ORDER BY k.version DESC LIMIT 1
) AS last_key
LEFT JOIN {schema}.events AS first ON first.position = a.aggregate
LEFT JOIN {schema}.events AS last ON last.position = last_key.position
ORDER BY a.aggregate_type, a.aggregate_id
