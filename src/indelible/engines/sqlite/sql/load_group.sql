-- A group, and its unfinished aggregates as JSON: in one step, so that no other thread waits for the interpreter. Without
-- these when it has the known revision still.
SELECT
    g.name, g.items, g.ack_timeout_s, g.max_attempts, g.max_in_flight, g.created_us, g.revision, g.reached,
    g.last_delivery, g.reset_at, g.save_id,
    CASE WHEN g.revision IS NOT :known_revision THEN (
        SELECT json_group_array(json_object(
            'key', json_object('aggregate_type', aggregate_type, 'aggregate_id', aggregate_id),
            'position', position, 'version', version, 'following', following, 'state', state, 'due_us', due_us,
            'attempts', attempts, 'delivery', delivery, 'member', member, 'reason', reason,
            'is_unreadable', json(iif(is_unreadable, 'true', 'false'))
        ))
        FROM (SELECT * FROM group_unfinished WHERE consumer_group = g.id ORDER BY position)
    ) END
FROM consumer_groups AS g
WHERE g.name = :name
