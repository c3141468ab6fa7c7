-- The end of the log, held until the transaction ends: from here on nobody else appends. The time-outs are set first, and
-- so hold for the wait.
SELECT head.position, head."timestamp", head.hash, clock_timestamp(), current_setting('synchronous_commit'), timeouts.*
FROM ({set_timeouts}) AS timeouts
CROSS JOIN {schema}.heads AS head
WHERE head.partition = 0
FOR NO KEY UPDATE OF head
