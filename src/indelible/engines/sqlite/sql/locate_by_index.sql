-- The same by a walk through the whole index, which needs nothing of the row.
SELECT aggregate, version FROM versions WHERE position = :position
