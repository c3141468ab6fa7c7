-- In one statement, because others may append meanwhile.
SELECT h.position, coalesce((SELECT max(e.position) FROM {schema}.events AS e), 0)
FROM {schema}.heads AS h
WHERE h.partition = 0
