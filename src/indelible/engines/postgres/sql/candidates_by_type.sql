-- The same for event types: a merge of the first entries of each. Every type gives its share of a chunk, so that many
-- types cost no more than few; the merge is whole up to where the first of those that have more ends.
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
        SELECT k.position, {first}(k.position) FILTER (WHERE k.number = share.most) OVER () AS whole_up_to
        FROM (SELECT %(chunk)s / cardinality(%(event_types)b::bigint[]) + 1 AS most) AS share
        CROSS JOIN unnest(%(event_types)b::bigint[]) AS wanted (event_type)
        CROSS JOIN LATERAL (
            SELECT position, row_number() OVER (ORDER BY position {order}) AS number FROM {schema}.event_keys
            WHERE event_type = wanted.event_type AND position BETWEEN %(low)s AND %(high)s
            ORDER BY position {order}
            LIMIT share.most
        ) AS k
    ) AS entry
    WHERE whole_up_to IS NULL OR position {up_to} whole_up_to
) AS walked
