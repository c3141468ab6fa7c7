-- For this transaction: how long to wait for other writers, and how long to hold the head without a word. A wait for
-- others ends before the statement's own time-out, if it has one: so what that ends was at work, and did not wait.
SELECT
    set_config(
        'lock_timeout',
        CASE
            WHEN own.milliseconds = 0 THEN %(lock)s::text
            ELSE ceil(least(extract(epoch FROM %(lock)s::text::interval) * 1000, own.milliseconds * 0.8))::text
        END,
        true
    ),
    set_config('idle_in_transaction_session_timeout', %(idle)s::text, true)
FROM (SELECT extract(epoch FROM current_setting('statement_timeout')::interval) * 1000) AS own (milliseconds)
