-- Those among some events that are stored, in the order asked for, up to the one that brings them to the size: their
-- places in it, and the lines. Then the place of the first one behind them, and the position of one whose partition was
-- taken off.
WITH sized AS (
    SELECT wanted.place, k.position, sum(coalesce({size}, 0)) OVER (ORDER BY wanted.place) - coalesce({size}, 0) AS size_before
    FROM unnest(%(event_ids)b::uuid[]) WITH ORDINALITY AS wanted (event_id, place)
    INNER JOIN {schema}.event_keys AS k ON k.event_id = wanted.event_id
    LEFT JOIN {schema}.events AS e ON e.position = k.position
)
SELECT
    array_agg(s.place ORDER BY s.place), convert_to(string_agg({line}, E'\n' ORDER BY s.place), 'UTF8'),
    (SELECT min(rest.place) FROM sized AS rest WHERE rest.size_before >= %(size_bytes_max)s),
    min(s.position) FILTER (WHERE e.position IS NULL)
FROM sized AS s
LEFT JOIN {schema}.events AS e ON e.position = s.position
WHERE s.size_before < %(size_bytes_max)s
