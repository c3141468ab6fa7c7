-- Walks the index entries of one tag, at most a chunk of them: positions that match the rest of the item too, how many
-- entries were looked at, and the last of them.
SELECT coalesce(array_agg(position ORDER BY position {order}) FILTER (WHERE matches), '{}'), count(*), {last}(position)
FROM (
    SELECT position, (
        (%(event_types)b::bigint[] IS NULL OR event_type = ANY(%(event_types)b::bigint[]))
        AND NOT EXISTS (
            SELECT FROM unnest(%(other_tags)b::text[]) AS wanted (tag)
            WHERE NOT EXISTS (
                SELECT FROM {schema}.event_tags AS other
                WHERE other.tag = wanted.tag AND other.position = entry.position
            )
        )
    ) AS matches
    FROM (
        SELECT position, event_type FROM {schema}.event_tags
        WHERE tag = %(tag)s AND position BETWEEN %(low)s AND %(high)s
        ORDER BY position {order}
        LIMIT %(chunk)s
    ) AS entry
) AS walked
