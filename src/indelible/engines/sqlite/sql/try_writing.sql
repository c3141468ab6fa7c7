-- Never committed: no aggregate has the number -1.
INSERT INTO snapshots (aggregate, version, timestamp_us, state, metadata)
VALUES (-1, -1, 0, printf('%.*c', ?, 'x'), '{}')
