-- The stored ones among some event ids. Almost always none.
SELECT convert_to({line}, 'UTF8')
FROM {schema}.event_keys AS k
INNER JOIN {schema}.events AS e ON e.position = k.position
WHERE k.event_id = ANY(%(event_ids)b::uuid[])
