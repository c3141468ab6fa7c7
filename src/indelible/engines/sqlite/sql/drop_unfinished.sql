DELETE FROM group_unfinished WHERE consumer_group = ? AND position IN (SELECT value FROM json_each(?))
