SELECT s.position, s.aggregate_type, s.aggregate_id, s.version, s.attempts, s.parked_reason, s.reason, s.skipped_at
FROM {schema}.group_skips AS s
INNER JOIN {schema}.consumer_groups AS g ON g.id = s.consumer_group
WHERE g.name = %(name)s AND s.position > %(after)s
ORDER BY s.position
LIMIT %(limit)s
