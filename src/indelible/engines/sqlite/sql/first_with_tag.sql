SELECT position FROM event_tags
WHERE tag = ? AND position BETWEEN ? AND ?
ORDER BY position LIMIT 1
