-- The end of the log, held until the transaction ends: from here on nobody else appends.
SELECT position, "timestamp", hash, clock_timestamp(), current_setting('synchronous_commit')
FROM {schema}.heads
WHERE partition = 0
FOR NO KEY UPDATE
