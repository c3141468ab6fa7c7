INSERT INTO relays (
    name, revision, epoch, owner, lease_until_us, position, published, is_paused, is_stopped, problem, reset_epoch,
    save_id, beside
)
VALUES (
    :name, :revision, :epoch, :owner, :lease_until_us, :position, :published, :is_paused, :is_stopped, :problem,
    :reset_epoch, :save_id, :beside
)
