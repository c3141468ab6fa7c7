SELECT t.aggregate_type, t.aggregates, coalesce(sum(e.events), 0)::bigint
FROM {schema}.aggregate_types AS t
LEFT JOIN {schema}.event_types AS e ON e.aggregate_type = t.aggregate_type
WHERE t.aggregate_type >= %(prefix)s AND t.aggregate_type < %(behind)s
GROUP BY t.aggregate_type
ORDER BY t.aggregate_type
