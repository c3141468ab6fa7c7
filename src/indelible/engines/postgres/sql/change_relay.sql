-- Saves a relay if nobody else came first. Whoever waited for another's update finds another revision then.
UPDATE {schema}.relays
SET revision = %(revision)s, epoch = %(epoch)s, owner = %(owner)s, lease_until_us = %(lease_until_us)s,
    position = %(position)s, published = %(published)s, is_paused = %(is_paused)s, is_stopped = %(is_stopped)s,
    problem = %(problem)s, reset_epoch = %(reset_epoch)s, save_id = %(save_id)s, beside = %(beside)s
WHERE name = %(name)s AND revision = %(revision)s - 1
RETURNING revision
