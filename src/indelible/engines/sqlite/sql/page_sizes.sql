-- Sizes of the events of a range, in order: where a page that is too large must end.
SELECT json_group_array(size_bytes)
FROM (SELECT size_bytes FROM rendered_events WHERE $range ORDER BY position $order LIMIT :limit)
