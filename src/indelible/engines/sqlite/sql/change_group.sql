UPDATE consumer_groups
SET ack_timeout_s = :ack_timeout_s, max_attempts = :max_attempts, max_in_flight = :max_in_flight, revision = :revision,
    reached = :reached, last_delivery = :last_delivery, reset_at = :reset_at,
    save_id = :save_id
WHERE name = :name AND revision = :expected_revision
RETURNING id
