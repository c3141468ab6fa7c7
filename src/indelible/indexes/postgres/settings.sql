-- For this transaction: how long it may wait and work, and hold locks without a word.
SELECT
    set_config('lock_timeout', %(lock)s, true),
    set_config('statement_timeout', %(statement)s, true),
    set_config('idle_in_transaction_session_timeout', %(idle)s, true),
    set_config('work_mem', %(memory)s, true),
    set_config('maintenance_work_mem', %(memory)s, true)
