-- Position and event; the latter is NULL when its partition was taken off.
SELECT k.position, CASE WHEN e.position IS NOT NULL THEN convert_to({line}, 'UTF8') END
FROM {schema}.event_keys AS k
LEFT JOIN {schema}.events AS e ON e.position = k.position
WHERE k.event_id = %(event_id)s
