-- What the current role could do to stored events, in words.
SELECT array_remove(ARRAY[
    CASE WHEN (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN 'is a superuser' END,
    CASE WHEN pg_has_role(c.relowner, 'USAGE') THEN 'owns the tables, or can act as their owner' END,
    CASE WHEN has_any_column_privilege(c.oid, 'UPDATE') THEN 'may update events' END,
    CASE WHEN has_table_privilege(c.oid, 'DELETE') THEN 'may delete events' END,
    CASE WHEN has_table_privilege(c.oid, 'TRUNCATE') THEN 'may truncate events' END
], NULL)
FROM pg_class AS c
WHERE c.oid = '{schema}.events'::regclass
