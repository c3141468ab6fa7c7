-- Whether the relay was made, and whether its name was taken.
WITH made AS (
    INSERT INTO {schema}.relays (
        name, revision, epoch, owner, lease_until_us, position, published, is_paused, is_stopped, problem, reset_epoch,
        save_id, beside
    )
    SELECT
        %(name)s, %(revision)s, %(epoch)s, %(owner)s, %(lease_until_us)s, %(position)s, %(published)s, %(is_paused)s,
        %(is_stopped)s, %(problem)s, %(reset_epoch)s, %(save_id)s, %(beside)s
    WHERE (SELECT count(*) FROM {schema}.relays) < %(relays_max)s
    ON CONFLICT (name) DO NOTHING
    RETURNING name
)

SELECT
    EXISTS (SELECT FROM made),
    EXISTS (SELECT FROM {schema}.relays WHERE name = %(name)s)
