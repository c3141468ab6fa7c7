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
GRANT EXECUTE ON FUNCTION {schema}.make_event_partitions(bigint, bigint) TO {role}
