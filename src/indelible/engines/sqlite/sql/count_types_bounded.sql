SELECT count(*) FROM (
    SELECT 1 FROM positions_by_type
    WHERE event_type IN (SELECT value FROM json_each(:event_types)) AND position BETWEEN :low AND :high
    LIMIT :most
)
