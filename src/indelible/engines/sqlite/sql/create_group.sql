INSERT INTO consumer_groups (
    name, items, ack_timeout_s, max_attempts, max_in_flight, created_us, revision, reached, last_delivery, reset_at,
    save_id
) VALUES (
    :name, :items, :ack_timeout_s, :max_attempts, :max_in_flight, :created_us, :revision, :reached, :last_delivery,
    :reset_at, :save_id
)
