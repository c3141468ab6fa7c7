-- Tables of generations that are none any more.
SELECT c.relname
FROM pg_class AS c
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE
    n.nspname = %(schema)s AND c.relkind = 'r' AND c.relname ~ '^documents_[0-9]+$'
    AND NOT EXISTS (SELECT FROM {schema}.generations AS g WHERE 'documents_' || g.number = c.relname)
