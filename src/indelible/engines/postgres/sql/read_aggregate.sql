-- An aggregate's version, and a page of its events: the lines, how many they are, and the version that they reach. Only
-- what fits into the page is rendered.
WITH found AS (
    SELECT a.aggregate, (SELECT max(k.version) FROM {schema}.event_keys AS k WHERE k.aggregate = a.aggregate) AS version
    FROM {schema}.aggregates AS a
    WHERE a.aggregate_type = %(aggregate_type)s AND a.aggregate_id = %(aggregate_id)s
)

SELECT found.version, page.lines, page.count, page.reached
FROM found
CROSS JOIN LATERAL (
    SELECT
        convert_to(string_agg({line}, E'\n' ORDER BY e.version {order}), 'UTF8') AS lines,
        count(*) AS count, {last}(e.version) AS reached
    FROM (
        SELECT e.*, sum({size}) OVER (ORDER BY e.version {order}) - ({size}) AS size_before
        FROM (
            SELECT e.*
            FROM {schema}.event_keys AS k
            INNER JOIN {schema}.events AS e ON e.position = k.position
            WHERE k.aggregate = found.aggregate
                AND k.version BETWEEN %(from_version)s AND least(%(to_version)s, found.version)
            ORDER BY k.version {order}
            LIMIT %(limit)s
        ) AS e
    ) AS e
    WHERE size_before < %(size_bytes_max)s
) AS page
