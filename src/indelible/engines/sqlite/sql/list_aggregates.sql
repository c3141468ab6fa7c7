-- One aggregate type's aggregates, ordered by aggregate_id.
SELECT a.aggregate_id, last.version, first.timestamp_us, last.timestamp_us
FROM aggregate_types AS t
INNER JOIN aggregates AS a ON a.aggregate_type = t.id
INNER JOIN events AS first ON first.aggregate = a.id AND first.version = 1
INNER JOIN events AS last
    ON last.aggregate = a.id AND last.version = (SELECT max(version) FROM events WHERE aggregate = a.id)
WHERE t.name = :aggregate_type AND a.aggregate_id > :after
ORDER BY a.aggregate_id
LIMIT :limit
