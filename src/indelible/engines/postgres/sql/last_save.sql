-- Which save a group is the outcome of.
SELECT created_us, revision, save_id FROM {schema}.consumer_groups WHERE name = %(name)s
