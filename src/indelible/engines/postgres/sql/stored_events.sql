-- The stored ones among some event ids, almost always none: position, and event unless its partition was taken off.
SELECT k.event_id, k.position, CASE WHEN e.position IS NOT NULL THEN convert_to({line}, 'UTF8') END
FROM {schema}.event_keys AS k
LEFT JOIN {schema}.events AS e ON e.position = k.position
WHERE k.event_id = ANY(%(event_ids)b::uuid[])
