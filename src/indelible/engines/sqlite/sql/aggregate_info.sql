SELECT last.version, first.timestamp_us, last.timestamp_us
FROM aggregates AS a
INNER JOIN aggregate_types AS t ON t.id = a.aggregate_type
INNER JOIN events AS first ON first.aggregate = a.id AND first.version = 1
INNER JOIN events AS last
    ON last.aggregate = a.id AND last.version = (SELECT max(version) FROM events WHERE aggregate = a.id)
WHERE t.name = :aggregate_type AND a.aggregate_id = :aggregate_id
