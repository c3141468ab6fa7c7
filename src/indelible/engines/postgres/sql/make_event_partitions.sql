SELECT {schema}.make_event_partitions(%s, %s)
