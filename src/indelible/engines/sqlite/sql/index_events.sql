-- Takes the events of a range into the index, each table in its own order. What is not there to be taken, or is there
-- twice, breaks a constraint.
INSERT INTO aggregates (aggregate_type, aggregate_id, aggregate)
SELECT (SELECT t.aggregate_type FROM event_types AS t WHERE t.id = e.event_type), e.aggregate_id, e.position
FROM events AS e
WHERE e.position BETWEEN :first AND :last AND e.version = 1
ORDER BY 1, 2;

INSERT INTO event_ids (event_id, position)
SELECT unhex(event_id, '-'), position FROM events WHERE position BETWEEN :first AND :last ORDER BY 1;

INSERT INTO positions_by_type (event_type, position, size_bytes)
SELECT event_type, position, size_bytes FROM rendered_events WHERE position BETWEEN :first AND :last ORDER BY 1, 2;

INSERT INTO event_tags (tag, position, event_type, size_bytes)
SELECT tag.value, e.position, e.event_type, e.size_bytes
FROM rendered_events AS e, json_each(e.tags) AS tag
WHERE e.position BETWEEN :first AND :last AND e.tags IS NOT NULL
ORDER BY 1, 2;

INSERT INTO event_counts (event_type, events)
SELECT event_type, count(*) FROM events WHERE position BETWEEN :first AND :last GROUP BY event_type
ON CONFLICT DO UPDATE SET events = events + excluded.events;

INSERT INTO aggregate_counts (aggregate_type, aggregates)
SELECT t.aggregate_type, count(*)
FROM events AS e INNER JOIN event_types AS t ON t.id = e.event_type
WHERE e.position BETWEEN :first AND :last AND e.version = 1
GROUP BY t.aggregate_type
ON CONFLICT DO UPDATE SET aggregates = aggregates + excluded.aggregates;

UPDATE state SET indexed = :last, hash = (SELECT hash FROM events WHERE position = :last);
