-- For this transaction: how long to wait for other writers, and how long to hold the head without a word.
SELECT
    set_config('lock_timeout', %(lock)s, true),
    set_config('idle_in_transaction_session_timeout', %(idle)s, true)
