-- Saves a change of a group, if nobody else came first; whether it did. The group's row is locked by its update, so
-- savers take turns. Whoever waited for another finds another revision then: what the other parts see of the group,
-- which is as of the statement's beginning, is the latest whenever the update finds its row.
WITH changed AS (
    UPDATE {schema}.consumer_groups
    SET ack_timeout_s = %(ack_timeout_s)s, max_attempts = %(max_attempts)s, max_in_flight = %(max_in_flight)s,
        revision = %(revision)s, reached = %(reached)s, last_delivery = %(last_delivery)s, reset_at = %(reset_at)s,
        save_id = %(save_id)s
    WHERE name = %(name)s AND revision = %(expected_revision)s
    RETURNING id
),

put AS MATERIALIZED (
    SELECT *
    FROM json_to_recordset(%(put)s::json) AS one (
        key json, position bigint, version bigint, following bigint, state text, due_us bigint, attempts integer,
        delivery bigint, member text, reason text, is_unreadable boolean
    )
),

dropped AS (
    DELETE FROM {schema}.group_unfinished AS u
    USING changed
    WHERE u.consumer_group = changed.id AND u.position = ANY(%(dropped)s::bigint[])
),

-- All but those that are put: one statement cannot take a row away and put it back.
dropped_all AS (
    DELETE FROM {schema}.group_unfinished AS u
    USING changed
    WHERE %(drop_all)s AND u.consumer_group = changed.id AND u.position NOT IN (SELECT position FROM put)
),

stored AS (
    INSERT INTO {schema}.group_unfinished (
        consumer_group, position, aggregate_type, aggregate_id, version, following, state, due_us, attempts, delivery,
        member, reason, is_unreadable
    )
    SELECT
        changed.id, position, key ->> 'aggregate_type', key ->> 'aggregate_id', version, following, state, due_us,
        attempts, delivery, member, reason, is_unreadable
    FROM changed
    CROSS JOIN put
    ON CONFLICT (consumer_group, position) DO UPDATE
    SET aggregate_type = excluded.aggregate_type, aggregate_id = excluded.aggregate_id, version = excluded.version,
        following = excluded.following, state = excluded.state, due_us = excluded.due_us, attempts = excluded.attempts,
        delivery = excluded.delivery, member = excluded.member, reason = excluded.reason,
        is_unreadable = excluded.is_unreadable
),

skipped AS (
    INSERT INTO {schema}.group_skips (
        consumer_group, position, aggregate_type, aggregate_id, version, attempts, parked_reason, reason, skipped_at
    )
    SELECT changed.id, one.*
    FROM changed
    CROSS JOIN json_to_recordset(%(skipped)s::json) AS one (
        position bigint, aggregate_type text, aggregate_id text, version bigint, attempts integer, parked_reason text,
        reason text, skipped_at timestamptz
    )
    ON CONFLICT (consumer_group, position) DO UPDATE
    SET aggregate_type = excluded.aggregate_type, aggregate_id = excluded.aggregate_id, version = excluded.version,
        attempts = excluded.attempts, parked_reason = excluded.parked_reason, reason = excluded.reason,
        skipped_at = excluded.skipped_at
)

SELECT EXISTS (SELECT FROM changed)
