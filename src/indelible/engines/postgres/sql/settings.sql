-- What durability and the number of servers depend on, what the database's clock says, which standbys commits wait for,
-- and how many follow. On a standby itself that says nothing.
SELECT
    current_setting('fsync'),
    current_setting('full_page_writes'),
    current_setting('synchronous_commit'),
    current_setting('max_connections')::int,
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
    extract(epoch FROM clock_timestamp())::float8,
    CASE WHEN pg_is_in_recovery() THEN '' ELSE current_setting('synchronous_standby_names') END,
    CASE WHEN pg_is_in_recovery() THEN 0 ELSE (SELECT count(*) FROM pg_stat_replication) END
