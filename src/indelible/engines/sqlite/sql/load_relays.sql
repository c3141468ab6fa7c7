-- All, or the one that is named.
SELECT
    name, revision, epoch, owner, lease_until_us, position, published, is_paused, is_stopped, problem, reset_epoch,
    save_id, beside
FROM relays
WHERE :name IS NULL OR name = :name
ORDER BY name
