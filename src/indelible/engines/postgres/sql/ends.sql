SELECT
    (SELECT position FROM {schema}.heads WHERE partition = 0),
    (SELECT coalesce(max(position), 0) FROM {schema}.events)
