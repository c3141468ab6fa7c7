-- The same by a walk through the whole index.
SELECT aggregate_type, aggregate_id FROM aggregates WHERE aggregate = :aggregate
