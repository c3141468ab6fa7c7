SELECT coalesce(max(end_position), 1) FROM {schema}.event_partitions
