-- After this, and until the transaction ends, nobody saves a change.
SELECT id FROM {schema}.consumer_groups
WHERE name = %(name)s AND created_us = coalesce(%(created_us)s::bigint, created_us)
FOR UPDATE
