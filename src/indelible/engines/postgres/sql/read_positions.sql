-- A page of the events at some positions: the lines, how many they are, and the last position.
SELECT
    convert_to(string_agg({line}, E'\n' ORDER BY e.position {order}), 'UTF8'), count(*), {last}(e.position)
FROM (
    SELECT e.*, sum({size}) OVER (ORDER BY e.position {order}) - ({size}) AS size_before
    FROM {schema}.events AS e
    WHERE e.position = ANY(%(positions)b::bigint[])
) AS e
WHERE size_before < %(size_bytes_max)s
