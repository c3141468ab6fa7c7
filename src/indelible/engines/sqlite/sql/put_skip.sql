INSERT OR REPLACE INTO group_skips (
    consumer_group, position, aggregate_type, aggregate_id, version, attempts, parked_reason, reason, skipped_us
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
