GRANT USAGE ON SCHEMA {schema} TO {role};
GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role};
GRANT INSERT ON
    {schema}.events, {schema}.event_keys, {schema}.event_tags, {schema}.aggregates, {schema}.event_types,
    {schema}.aggregate_types, {schema}.snapshots
TO {role};
GRANT UPDATE (position, "timestamp", hash) ON {schema}.heads TO {role};
GRANT UPDATE (events) ON {schema}.event_types TO {role};
GRANT UPDATE (aggregates) ON {schema}.aggregate_types TO {role};
GRANT UPDATE ("timestamp", state, metadata) ON {schema}.snapshots TO {role};
GRANT INSERT, DELETE ON {schema}.consumer_groups, {schema}.group_unfinished, {schema}.group_skips TO {role};
GRANT UPDATE (
    ack_timeout_s, max_attempts, max_in_flight, revision, reached, last_delivery, reset_at, save_id
) ON {schema}.consumer_groups TO {role};
GRANT UPDATE (
    aggregate_type, aggregate_id, version, following, state, due_us, attempts, delivery, member, reason,
    is_unreadable
) ON {schema}.group_unfinished TO {role};
GRANT UPDATE (
    aggregate_type, aggregate_id, version, attempts, parked_reason, reason, skipped_at
) ON {schema}.group_skips TO {role};
GRANT INSERT ON {schema}.relays TO {role};
GRANT UPDATE (
    revision, epoch, owner, lease_until_us, position, published, is_paused, is_stopped, problem, reset_epoch, save_id,
    beside
) ON {schema}.relays TO {role};
GRANT EXECUTE ON FUNCTION {schema}.make_event_partitions(bigint, bigint) TO {role}
