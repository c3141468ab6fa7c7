-- A group, the time, and its unfinished aggregates as JSON; without these, and the price of them, when it has the known
-- revision still.
SELECT
    g.name, g.items, g.ack_timeout_s, g.max_attempts, g.max_in_flight, g.created_us, g.revision, g.reached,
    g.last_delivery, g.reset_at, g.save_id, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
    CASE WHEN g.revision IS DISTINCT FROM %(known_revision)s::bigint THEN (
        SELECT coalesce(json_agg(
            json_build_object(
                'key', json_build_object('aggregate_type', u.aggregate_type, 'aggregate_id', u.aggregate_id),
                'position', u.position, 'version', u.version, 'following', u.following, 'state', u.state,
                'due_us', u.due_us, 'attempts', u.attempts, 'delivery', u.delivery, 'member', u.member,
                'reason', u.reason, 'is_unreadable', u.is_unreadable
            )
            ORDER BY u.position
        )::text, '[]')
        FROM {schema}.group_unfinished AS u
        WHERE u.consumer_group = g.id
    ) END
FROM {schema}.consumer_groups AS g
WHERE g.name = %(name)s
