-- How many groups there are, and how many of them have this name.
SELECT count(*), count(*) FILTER (WHERE name = :name) FROM consumer_groups
