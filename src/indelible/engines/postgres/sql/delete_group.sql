WITH unfinished AS (
    DELETE FROM {schema}.group_unfinished WHERE consumer_group = %(id)s
),

skips AS (
    DELETE FROM {schema}.group_skips WHERE consumer_group = %(id)s
)

DELETE FROM {schema}.consumer_groups WHERE id = %(id)s RETURNING id
