-- A page of all events from one position to another: the lines, how many they are, the first and the last position.
SELECT
    convert_to(string_agg({line}, E'\n' ORDER BY e.position {order}), 'UTF8'), count(*), {last}(e.position)
FROM (
    SELECT e.*, sum({size}) OVER (ORDER BY e.position {order}) - ({size}) AS size_before
    FROM (
        SELECT e.* FROM {schema}.events AS e
        WHERE e.position BETWEEN %(low)s AND %(high)s
        ORDER BY e.position {order}
        LIMIT %(limit)s
    ) AS e
) AS e
WHERE size_before < %(size_bytes_max)s
