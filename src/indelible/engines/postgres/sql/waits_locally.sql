-- Whether standbys are named for commits to wait for, and this role's do not.
SELECT current_setting('synchronous_standby_names') <> '' AND current_setting('synchronous_commit') = 'local'
