-- Held until the transaction ends: who makes a relay counts those of others before.
SELECT pg_advisory_xact_lock(hashtextextended('indelible.create_relay {schema}', 0))
