SELECT
    g.name, g.items, g.ack_timeout_s, g.max_attempts, g.max_in_flight, g.created_us, g.revision, g.reached,
    g.last_delivery, g.reset_at, g.save_id,
    coalesce(min(u.position) FILTER (WHERE u.state <> 'parked') - 1, g.reached),
    count(*) FILTER (WHERE u.state = 'in_flight'),
    count(*) FILTER (WHERE u.state = 'waiting'),
    count(*) FILTER (WHERE u.state = 'parked'),
    coalesce(sum(1 + u.following) FILTER (WHERE u.state = 'parked'), 0),
    count(*) FILTER (WHERE u.is_unreadable),
    count(*) FILTER (WHERE u.aggregate_type = '')
FROM consumer_groups AS g
LEFT JOIN group_unfinished AS u ON u.consumer_group = g.id
WHERE :name IS NULL OR g.name = :name
GROUP BY g.id
ORDER BY g.name
