-- Whether the group was made, and whether its name was taken.
WITH made AS (
    INSERT INTO {schema}.consumer_groups (
        name, items, ack_timeout_s, max_attempts, max_in_flight, created_us, revision, reached, last_delivery, reset_at,
        save_id
    )
    SELECT
        %(name)s, %(items)s, %(ack_timeout_s)s, %(max_attempts)s, %(max_in_flight)s, %(created_us)s, %(revision)s,
        %(reached)s, %(last_delivery)s, %(reset_at)s, %(save_id)s
    WHERE (SELECT count(*) FROM {schema}.consumer_groups) < %(groups_max)s
    ON CONFLICT (name) DO NOTHING
    RETURNING id
)

SELECT
    EXISTS (SELECT FROM made),
    EXISTS (SELECT FROM {schema}.consumer_groups WHERE name = %(name)s)
