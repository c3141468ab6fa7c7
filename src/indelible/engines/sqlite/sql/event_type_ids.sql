-- The ids that stand for any of these event types in any of these aggregate types; NULL does not restrict. One more than
-- are wanted at the most.
SELECT json_group_array(id)
FROM (
    SELECT id
    FROM event_types
    WHERE (:event_types IS NULL OR name IN (SELECT value FROM json_each(:event_types)))
        AND (:aggregate_types IS NULL OR aggregate_type IN (SELECT value FROM json_each(:aggregate_types)))
    LIMIT :found_max + 1
)
