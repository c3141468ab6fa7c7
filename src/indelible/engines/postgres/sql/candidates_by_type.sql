-- The same for event types: a merge of the first entries of each.
SELECT coalesce(array_agg(position ORDER BY position {order}) FILTER (WHERE matches), '{}'), count(*), {last}(position)
FROM (
    SELECT position, NOT EXISTS (
        SELECT FROM unnest(%(other_tags)b::text[]) AS wanted (tag)
        WHERE NOT EXISTS (
            SELECT FROM {schema}.event_tags AS other
            WHERE other.tag = wanted.tag AND other.position = entry.position
        )
    ) AS matches
    FROM (
        SELECT k.position
        FROM unnest(%(event_types)b::bigint[]) AS wanted (event_type)
        CROSS JOIN LATERAL (
            SELECT position FROM {schema}.event_keys
            WHERE event_type = wanted.event_type AND position BETWEEN %(low)s AND %(high)s
            ORDER BY position {order}
            LIMIT %(chunk)s
        ) AS k
        ORDER BY k.position {order}
        LIMIT %(chunk)s
    ) AS entry
) AS walked
