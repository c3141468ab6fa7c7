DELETE FROM group_unfinished WHERE consumer_group = ?
