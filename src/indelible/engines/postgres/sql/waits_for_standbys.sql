-- Whether a commit waits until a standby has it.
SELECT NOT pg_is_in_recovery() AND current_setting('synchronous_standby_names') <> ''
