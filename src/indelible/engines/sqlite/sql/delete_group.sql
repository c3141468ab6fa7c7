DELETE FROM consumer_groups WHERE name = ? RETURNING id
