-- Those that exist among some aggregates (JSON array of pairs of names): their places in the array, and what they are.
SELECT name.key, a.aggregate, (SELECT max(v.version) FROM versions AS v WHERE v.aggregate = a.aggregate)
FROM json_each(:names) AS name
CROSS JOIN aggregates AS a ON a.aggregate_type = name.value ->> 0 AND a.aggregate_id = name.value ->> 1
