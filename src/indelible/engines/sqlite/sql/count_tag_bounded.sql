SELECT count(*) FROM (SELECT 1 FROM event_tags WHERE tag = :tag AND position BETWEEN :low AND :high LIMIT :most)
