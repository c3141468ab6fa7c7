SELECT count(*) FROM (
    SELECT FROM {schema}.event_keys
    WHERE event_type = ANY(%(event_types)b::bigint[]) AND position BETWEEN %(low)s AND %(high)s
    LIMIT %(most)s
) AS counted
