DELETE FROM consumer_groups WHERE name = :name AND created_us = coalesce(:created_us, created_us) RETURNING id
