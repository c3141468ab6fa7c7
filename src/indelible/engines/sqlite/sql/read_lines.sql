-- Events at some positions (JSON array) as NDJSON, in its order, and how many: up to the one that brings them to
-- :size_bytes_max. One that is not there counts, and has no line. Each is looked up by itself: the view, as one side of an
-- outer join, would be made whole.
WITH sized AS (
    SELECT key AS place, value AS position,
        coalesce(sum((SELECT e.size_bytes FROM rendered_events AS e WHERE e.position = value)) OVER (
            ORDER BY key ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS size_before
    FROM json_each(:positions)
)
SELECT CAST(group_concat(line, char(10)) AS BLOB), count(*)
FROM (
    SELECT (SELECT e.line FROM rendered_events AS e WHERE e.position = s.position) AS line
    FROM sized AS s
    WHERE s.size_before < :size_bytes_max
    ORDER BY s.place
)
