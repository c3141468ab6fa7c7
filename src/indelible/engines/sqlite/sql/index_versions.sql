-- As many rows as the range has positions, or some are not there.
INSERT INTO versions (aggregate, version, position)
SELECT aggregate, version, position FROM events WHERE position BETWEEN :first AND :last ORDER BY 1, 2
