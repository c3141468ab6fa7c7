-- All, or the one that is named.
SELECT
    name, revision, epoch, owner, lease_until_us, position, published, is_paused, is_stopped, problem, reset_epoch,
    save_id, beside
FROM {schema}.relays
WHERE %(name)s::text IS NULL OR name = %(name)s
ORDER BY name
