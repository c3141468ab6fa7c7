INSERT OR REPLACE INTO group_unfinished (
    consumer_group, position, aggregate_type, aggregate_id, version, following, state, due_us, attempts, delivery,
    member, reason, is_unreadable
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
