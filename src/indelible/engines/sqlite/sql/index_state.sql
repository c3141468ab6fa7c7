-- How far the index goes, and whether that is this log: the hash that it knows of the last event, and the log's.
SELECT
    indexed, hash, log_inode,
    CASE indexed WHEN 0 THEN '' ELSE (SELECT e.hash FROM events AS e WHERE e.position = indexed) END
FROM state
