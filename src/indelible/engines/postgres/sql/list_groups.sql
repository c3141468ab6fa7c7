SELECT
    g.name, g.items, g.ack_timeout_s, g.max_attempts, g.max_in_flight, g.created_us, g.revision, g.reached,
    g.last_delivery, g.reset_at, g.save_id, coalesce(u.first_moving - 1, g.reached), u.in_flight, u.waiting, u.parked_aggregates,
    u.parked, u.unreadable, u.is_held_up
FROM {schema}.consumer_groups AS g
CROSS JOIN LATERAL (
    SELECT
        min(position) FILTER (WHERE state <> 'parked') AS first_moving,
        count(*) FILTER (WHERE state = 'in_flight') AS in_flight,
        count(*) FILTER (WHERE state = 'waiting') AS waiting,
        count(*) FILTER (WHERE state = 'parked') AS parked_aggregates,
        coalesce(sum(1 + following) FILTER (WHERE state = 'parked'), 0)::bigint AS parked,
        count(*) FILTER (WHERE is_unreadable) AS unreadable,
        coalesce(bool_or(aggregate_type = ''), false) AS is_held_up
    FROM {schema}.group_unfinished
    WHERE consumer_group = g.id
) AS u
WHERE %(name)s::text IS NULL OR g.name = %(name)s
ORDER BY g.name
