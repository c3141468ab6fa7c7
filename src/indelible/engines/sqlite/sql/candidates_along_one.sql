-- Walks the index entries of one tag or one event type, at most :chunk of them: positions that match the rest of the item
-- too, how many entries were looked at, the last of them, and what the matching events take.
SELECT json_group_array(position) FILTER (WHERE matches), count(*), $last(position),
    sum(size_bytes) FILTER (WHERE matches)
FROM (
    SELECT position, size_bytes, (
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
        SELECT position, event_type, size_bytes FROM $entries
        WHERE $key = :key AND position BETWEEN :low AND :high
        ORDER BY position $order LIMIT :chunk
    ) AS entry
)
