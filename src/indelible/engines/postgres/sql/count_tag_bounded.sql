SELECT count(*) FROM (
    SELECT FROM {schema}.event_tags WHERE tag = %(tag)s AND position BETWEEN %(low)s AND %(high)s LIMIT %(most)s
) AS counted
