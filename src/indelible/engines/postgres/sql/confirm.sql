-- Lets the transaction's commit wait for so long. An empty message makes it one that waits at all: a transaction that adds
-- nothing to the database's log waits for nobody.
SELECT set_config('statement_timeout', %(timeout)s::text, true), pg_logical_emit_message(true, 'indelible', ''::text)
