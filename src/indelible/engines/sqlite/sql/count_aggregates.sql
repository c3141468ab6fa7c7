UPDATE aggregate_types SET aggregates = aggregates + ? WHERE id = ?
