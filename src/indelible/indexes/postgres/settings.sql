-- For this transaction: how long it may wait and work, and hold locks without a word. A crash may take the newest of what
-- is not waited for, documents and cursor together, and it is indexed again.
SELECT
    set_config('lock_timeout', %(lock)s, true),
    set_config('statement_timeout', %(statement)s, true),
    set_config('idle_in_transaction_session_timeout', %(idle)s, true),
    set_config('synchronous_commit', CASE WHEN %(is_waited_for)s THEN current_setting('synchronous_commit') ELSE 'off' END, true),
    set_config('work_mem', %(memory)s, true),
    set_config('maintenance_work_mem', %(memory)s, true)
