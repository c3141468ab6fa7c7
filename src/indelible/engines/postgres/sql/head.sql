SELECT position, "timestamp", hash FROM {schema}.heads WHERE partition = 0
