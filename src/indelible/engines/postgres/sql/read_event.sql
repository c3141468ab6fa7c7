SELECT convert_to({line}, 'UTF8')
FROM {schema}.event_keys AS k
INNER JOIN {schema}.events AS e ON e.position = k.position
WHERE k.event_id = %(event_id)s
