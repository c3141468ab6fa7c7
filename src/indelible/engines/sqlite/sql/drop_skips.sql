DELETE FROM group_skips WHERE consumer_group = ?
