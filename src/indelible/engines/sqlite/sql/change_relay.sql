UPDATE relays
SET revision = :revision, epoch = :epoch, owner = :owner, lease_until_us = :lease_until_us, position = :position,
    published = :published, is_paused = :is_paused, is_stopped = :is_stopped, problem = :problem,
    reset_epoch = :reset_epoch, save_id = :save_id, beside = :beside
WHERE name = :name AND revision = :revision - 1
RETURNING 1
