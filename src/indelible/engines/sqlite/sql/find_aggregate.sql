SELECT aggregate, (SELECT max(v.version) FROM versions AS v WHERE v.aggregate = a.aggregate)
FROM aggregates AS a
WHERE aggregate_type = :aggregate_type AND aggregate_id = :aggregate_id
