SELECT s.position, s.aggregate_type, s.aggregate_id, s.version, s.attempts, s.parked_reason, s.reason, s.skipped_us
FROM group_skips AS s
INNER JOIN consumer_groups AS g ON g.id = s.consumer_group
WHERE g.name = :name AND s.position > :after
ORDER BY s.position
LIMIT :limit
