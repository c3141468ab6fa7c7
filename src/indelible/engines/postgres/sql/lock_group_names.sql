-- Held until the transaction ends: who makes a group counts those of others before.
SELECT pg_advisory_xact_lock(hashtextextended('indelible.create_group {schema}', 0))
