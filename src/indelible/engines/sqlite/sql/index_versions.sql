-- As many rows as the range has positions, or some are not there.
INSERT INTO versions (aggregate, version, position, size_bytes)
SELECT aggregate, version, position, size_bytes FROM rendered_events WHERE position BETWEEN :first AND :last ORDER BY 1, 2
