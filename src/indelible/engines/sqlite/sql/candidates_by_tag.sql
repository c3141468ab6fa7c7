-- Walks the index entries of one tag, at most :chunk of them: positions that match the rest of the item too, how many
-- entries were looked at, and the last of them.
SELECT json_group_array(position) FILTER (WHERE matches), count(*), $last(position)
FROM (
    SELECT position, (
        (:event_types IS NULL OR event_type IN (SELECT value FROM json_each(:event_types)))
        AND (:other_tag IS NULL OR EXISTS (
            SELECT 1 FROM event_tags AS other WHERE other.tag = :other_tag AND other.position = entry.position
        ))
        AND (:more_tags IS NULL OR NOT EXISTS (
            SELECT 1 FROM json_each(:more_tags) AS wanted
            WHERE NOT EXISTS (
                SELECT 1 FROM event_tags AS other WHERE other.tag = wanted.value AND other.position = entry.position
            )
        ))
    ) AS matches
    FROM (
        SELECT position, event_type FROM event_tags
        WHERE tag = :tag AND position BETWEEN :low AND :high
        ORDER BY position $order LIMIT :chunk
    ) AS entry
)
