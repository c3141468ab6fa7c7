INSERT INTO state (indexed, hash, log_inode) VALUES (0, '', ?)
